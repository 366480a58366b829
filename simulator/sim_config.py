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
    """A runner group; `repositories` and `workflows` None mean all."""

    name: str
    repositories: tuple[str, ...] | None = None
    allows_public: bool = False
    workflows: tuple[str, ...] | None = None


class GitHubPart(Part):
    """See `GitHubSim`; `app_public_key` is PEM, `webhook_url` is where events are posted.

    Attributes:
        marker: letters and digits that every credential minted here carries, so that a search for it finds
            where credentials went.
        workflows: by file, the labels of its jobs, one job each: what a dispatch of it queues.
        user_token: a person's token, which may dispatch workflows; none when empty.
        permissions: what the App is granted; all that a fleet needs when None.
    """

    app_id: int = 1
    app_public_key: str
    webhook_url: str
    webhook_secret: SecretStr
    organization: str = "acme"
    repositories: tuple[str | RepositoryPart, ...] = ("widgets",)
    runner_groups: tuple[str | RunnerGroupPart, ...] = ()
    marker: str = Field(default="", pattern=r"^[A-Za-z0-9]{0,64}$")
    workflows: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    user_token: SecretStr = SecretStr("")
    permissions: dict[str, str] | None = None


class OidcAuthPart(Part):
    """OIDC Auth of an identity, by Infisical's names; see `OidcAuth`.

    Attributes:
        oidc_discovery_url: None takes FlySim's own issuer.
        bound_issuer: None takes the discovery URL.
        bound_audiences, bound_subject: policies, "" checks nothing.
        bound_claims: policy by claim, such as `{"app_name": "acme-dispatcher"}`.
    """

    oidc_discovery_url: str | None = None
    bound_issuer: str | None = None
    bound_audiences: str = ""
    bound_subject: str = ""
    bound_claims: dict[str, str] = Field(default_factory=dict)


class IdentityPart(Part):
    """A machine identity, with Universal Auth (`client_id`, `client_secret`), OIDC Auth, or both.

    Attributes:
        client_id, client_secret: of Universal Auth; none without it.
        role: a lister sees names alone, a reader values too; a writer may also change them, a lessee also
            lease.
        token_ttl_s: life of its access tokens, before scaling.
        identity_id: what an OIDC login names.
        oidc: what such a login is judged by; None when it has no OIDC Auth.
    """

    name: str
    client_id: str = ""
    client_secret: SecretStr = SecretStr("")
    role: Literal["lister", "reader", "writer", "lessee"] = "reader"
    token_ttl_s: float | None = Field(default=None, gt=0)
    identity_id: str = ""
    oidc: OidcAuthPart | None = None


class DynamicSecretPart(Part):
    """A dynamic secret of the provider `github`; see `GitHubDynamicSecret`. Tokens are minted at GitHubSim.

    Attributes:
        name: what a lease names; Infisical lower-cases it.
        path: its folder.
        app_id: of the App that signs; GitHubSim's when None.
        private_key: the App's, PEM.
        installation_id: None takes the App's only installation.
        default_ttl, max_ttl: of leases, such as "1h".
    """

    name: str
    path: str = "/"
    app_id: int | None = None
    private_key: SecretStr
    installation_id: int | None = None
    default_ttl: str = "1h"
    max_ttl: str | None = None


class InfisicalPart(Part):
    """See `InfisicalSim`.

    Attributes:
        project_slug: what leases name the project by; the project id when empty.
        secrets: the first values in folder `/`.
        dynamic_secrets: what can be leased from.
        max_leases: most live leases per dynamic secret.
        plan_has_dynamic_secrets: without it every lease is refused, as on an unlicensed server.
    """

    project_id: str = "fly-gha"
    project_slug: str = ""
    environment: str = "prod"
    folders: tuple[str, ...] = ()
    identities: tuple[IdentityPart, ...]
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    calls_per_minute: dict[str, int] = Field(default_factory=dict)
    dynamic_secrets: tuple[DynamicSecretPart, ...] = ()
    max_leases: int = Field(default=10_000, ge=0)
    plan_has_dynamic_secrets: bool = True


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
