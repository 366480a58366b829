"""The Machines API's nouns, as far as we send or read them (Fly's published specification and documentation).

What we send forbids unknown fields: Fly ignores a misspelt option without a word, so it must not leave here.
What we read ignores them: Fly may add fields whenever it likes.
"""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError


class Sent(BaseModel):
    """Something we send."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Answered(BaseModel):
    """Something Fly tells us."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class Guest(Sent):
    """CPUs and memory. ``memory_mb`` is in MiB."""

    cpu_kind: Literal["shared", "performance"]
    cpus: int = Field(ge=1)
    memory_mb: int = Field(ge=256, multiple_of=256)


class Restart(Sent):
    """What Fly does when the main process exits; without it a crash is restarted."""

    policy: Literal["no", "always", "on-failure"]


class Rootfs(Sent):
    """The root file system: 8 GB unless a size in GB is given."""

    size_gb: int = Field(ge=1)


class StopConfig(Sent):
    """The signal a stop sends first, and how long until the kill (``30s``)."""

    signal: Literal["SIGINT", "SIGTERM"]
    timeout: str = Field(pattern=r"^[1-9][0-9]{0,2}s$")


class Process(Sent):
    """What the main process gets; its command and user stay the image's own when not named.

    Attributes:
        ignore_app_secrets: Fly injects an app's secrets at every boot, unless the config says this.
    """

    ignore_app_secrets: bool


class Mount(Sent):
    """Where a volume is mounted. ``volume`` is its id: a name would let Fly choose among several."""

    volume: str = Field(min_length=1)
    path: str = Field(pattern=r"^/[a-z0-9/_-]+$")


class Dns(Sent):
    """Whether the private network's DNS knows the Machine."""

    skip_registration: bool


class MachineConfig(Sent):
    """What a Machine is. ``services`` has no field here: a runner takes no traffic."""

    image: str = Field(min_length=1)
    guest: Guest
    env: Mapping[str, str]
    metadata: Mapping[str, str]
    restart: Restart
    auto_destroy: bool
    rootfs: Rootfs
    stop_config: StopConfig
    dns: Dns
    processes: tuple[Process, ...]
    mounts: tuple[Mount, ...] = ()


class CreateMachine(Sent):
    """The body of a create. ``skip_launch`` creates without starting.

    ``skip_secrets`` is of this call alone: it is not in the config, so nothing says that it still holds when
    the Machine is started later.
    """

    name: str = Field(min_length=1)
    region: str = Field(min_length=2)
    config: MachineConfig
    skip_launch: bool = False
    skip_secrets: bool = False


class CreateVolume(Sent):
    """The body of a volume's create.

    Attributes:
        name: not unique; up to 30 lower-case letters, digits and underscores.
        compute: the guest that will use it, so that it is put on a host with room for that.
        snapshot_retention: days; 1 is the least.
    """

    name: str = Field(pattern=r"^[a-z0-9_]{1,30}$")
    region: str = Field(min_length=2)
    size_gb: int = Field(ge=1, le=500)
    compute: Guest
    snapshot_retention: int = Field(ge=1, le=60)
    auto_backup_enabled: bool


class StopMachine(Sent):
    """The body of a stop; the timeout is a duration such as ``30s``."""

    signal: Literal["SIGINT", "SIGTERM", "SIGKILL"] = "SIGTERM"
    timeout: str | None = None


class SeenMount(Answered):
    """A mount that we read back."""

    volume: str = ""


class SeenConfig(Answered):
    """The parts of a Machine's config that we read back."""

    image: str = ""
    metadata: Mapping[str, str] | None = None
    mounts: tuple[SeenMount, ...] | None = None


class ExitEvent(Answered):
    """How a Machine's main process ended."""

    exit_code: int | None = None
    oom_killed: bool = False


class Event(Answered):
    """One entry of a Machine's history; ``timestamp`` is in milliseconds."""

    type: str = ""
    status: str = ""
    timestamp: int = 0
    request: Mapping[str, Any] | None = None

    @property
    def exit_event(self) -> ExitEvent | None:
        """The exit it tells of, in one of the two places seen; None when it tells of none we can read.

        Nothing is published about ``request``, so an odd one must not make a whole list unreadable.
        """
        request = self.request or {}
        monitor = request.get("MonitorEvent")
        nested = monitor.get("exit_event") if isinstance(monitor, Mapping) else None
        try:
            return ExitEvent.model_validate(nested or request.get("exit_event"))
        except ValidationError:
            return None


class ImageRef(Answered):
    """The image that a Machine runs, as Fly resolved it."""

    digest: str = ""


class Organization(Answered):
    """Whose an app is."""

    slug: str = ""


class App(Answered):
    """An app. ``network`` is the private network that its Machines are in; ``default`` is everybody's."""

    name: str = ""
    network: str = ""
    organization: Organization | None = None


class Region(Answered):
    """A place where Machines may be."""

    code: str = ""
    deprecated: bool = False
    requires_paid_plan: bool = False


class Regions(Answered):
    """All of them; older answers spelt the key with a capital."""

    regions: tuple[Region, ...] = Field(validation_alias=AliasChoices("regions", "Regions"))


class TokenInfo(Answered):
    """What Fly says of one token: never the token itself.

    Attributes:
        apps: the apps it is limited to; None or empty for all of the organization.
        user: set for a person's own token.
        restricted_to_machine: the one Machine that may use it, or "".
    """

    org_slug: str = ""
    apps: tuple[str, ...] | None = None
    user: str = ""
    restricted_to_machine: str = ""


class CurrentTokens(Answered):
    """All tokens of the Authorization header."""

    tokens: tuple[TokenInfo, ...] = ()


class Volume(Answered):
    """A volume as Fly describes it.

    Attributes:
        state: Fly's word; a deleted one is ``pending_destroy`` for a while and costs nothing any more.
        attached_machine_id: the one Machine that has it, None or "" when none has.
        host_status: ``ok``, or the host it is on cannot be asked.
    """

    id: str = Field(min_length=1)
    name: str = ""
    state: str = ""
    region: str = ""
    size_gb: int = 0
    attached_machine_id: str | None = None
    attached_alloc_id: str | None = None
    host_status: str | None = None


class Machine(Answered):
    """A Machine as Fly describes it.

    Attributes:
        state: Fly's word; ``destroyed`` is the last one.
        host_status: ``ok``, or the reason why ``config`` is absent and ``incomplete_config`` partial.
    """

    id: str = Field(min_length=1)
    name: str = ""
    state: str = ""
    region: str = ""
    created_at: str = ""
    host_status: str | None = None
    image_ref: ImageRef | None = None
    config: SeenConfig | None = None
    incomplete_config: SeenConfig | None = None
    events: tuple[Event, ...] | None = None

    @property
    def last_exit(self) -> ExitEvent | None:
        """The latest exit in the events it came with, or None."""
        exits = [event for event in self.events or () if event.exit_event is not None]
        return max(exits, key=lambda event: event.timestamp).exit_event if exits else None
