"""What a served world is made of: one JSON file for all three simulators."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

REPOSITORY = Path(__file__).resolve().parents[1]
BOOT_AGENT = REPOSITORY / "machines" / "runner" / "boot.py"
STAND_IN_RUNNER = REPOSITORY / "simulator" / "runner"


class Part(BaseModel):
    """Base of every part: a misspelt key is a mistake, not a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Ports(Part):
    """Loopback ports of the three simulators; 0 picks a free one."""

    fly: int = Field(default=0, ge=0, le=65535)
    github: int = Field(default=0, ge=0, le=65535)
    infisical: int = Field(default=0, ge=0, le=65535)


class FlyPart(Part):
    """See `FlySim`.

    Attributes:
        agent: the boot agent's script, run by path as each Machine's main process.
        runner_template: folder that each Machine gets a copy of.
        list_lag_s: longest lag of the Machine list, in seconds before scaling.
        capacity: most running Machines per region.
        networks: private networks by app; one that is not named has its own.
        skip_launch: the state that a Machine created with skip_launch comes to rest in.
    """

    org_slug: str = "acme"
    apps: tuple[str, ...] = ("runners-a",)
    api_token: SecretStr
    agent: Path = BOOT_AGENT
    runner_template: Path = STAND_IN_RUNNER
    list_lag_s: float = Field(default=5.0, ge=0)
    machine_limit: int | None = None
    capacity: dict[str, int] = Field(default_factory=dict)
    networks: dict[str, str] = Field(default_factory=dict)
    skip_launch: Literal["stopped", "created"] = "stopped"


class RepositoryPart(Part):
    """A repository of the organization, by its name without the owner."""

    name: str
    private: bool = True


class RunnerGroupPart(Part):
    """A runner group; `repositories` None means all."""

    name: str
    repositories: tuple[str, ...] | None = None
    allows_public: bool = False


class GitHubPart(Part):
    """See `GitHubSim`; `app_public_key` is PEM, `webhook_url` is where events are posted.

    Attributes:
        marker: letters and digits that every credential minted here carries, so that a search for it finds
            where credentials went.
    """

    app_id: int = 1
    app_public_key: str
    webhook_url: str
    webhook_secret: SecretStr
    organization: str = "acme"
    repositories: tuple[str | RepositoryPart, ...] = ("widgets",)
    runner_groups: tuple[str | RunnerGroupPart, ...] = ()
    marker: str = Field(default="", pattern=r"^[A-Za-z0-9]{0,64}$")


class IdentityPart(Part):
    """A machine identity with Universal Auth: a reader sees values, a writer may change them too."""

    name: str
    client_id: str
    client_secret: SecretStr
    role: Literal["reader", "writer"] = "reader"
    token_ttl_s: float | None = Field(default=None, gt=0)


class InfisicalPart(Part):
    """See `InfisicalSim`; `secrets` are the first values in folder `/`."""

    project_id: str = "fly-gha"
    environment: str = "prod"
    folders: tuple[str, ...] = ()
    identities: tuple[IdentityPart, ...]
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    calls_per_minute: dict[str, int] = Field(default_factory=dict)


class SimConfig(Part):
    """The whole served world.

    Attributes:
        seed: repeats ids, faults and latencies.
        scale: how many times faster than reality the simulated latencies pass.
    """

    seed: int = 1
    scale: float = Field(default=1.0, gt=0)
    ports: Ports = Ports()
    fly: FlyPart
    github: GitHubPart
    infisical: InfisicalPart
