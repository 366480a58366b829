"""One simulated Machine: what Fly would remember of it."""

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal["created", "starting", "started", "stopping", "stopped", "destroying", "destroyed"]
HostStatus = Literal["ok", "unreachable"]

# States that `wait?state=settled` accepts: nothing is under way.
SETTLED: frozenset[State] = frozenset({"started", "stopped", "destroyed"})
# Our metadata key that names the pool; the journal counts live Machines by it.
POOL_KEY = "fly_gha_pool"


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a Machine's event list.

    Attributes:
        id: ULID.
        type: launch, start, exit, stop, restart or destroy.
        status: the state it led to.
        source: "user" or "flyd".
        at: Unix seconds.
        request: payload; None on launch and destroy, as measured.
    """

    id: str
    type: str
    status: str
    source: str
    at: float
    request: dict[str, Any] | None


@dataclass(slots=True)
class SimMachine:
    """A Machine in the simulated organization. Times are Unix seconds.

    Attributes:
        id: 14 hex digits.
        name: unique among the live Machines of its app.
        app: the Fly app it belongs to.
        region: where it was placed, one code.
        config: the configuration exactly as sent, unknown fields included.
        skip_launch: created without being started.
        instance_id: ULID of this version.
        private_ip: its 6PN address.
        created_at: when the create was accepted.
        updated_at: when its state last changed.
        visible_from: before this the list does not show it yet.
        hidden_from: from then on the list no longer shows it; None while it lives.
        state: see `State`.
        state_before_end: the last state before destroyed, which a lagging list still shows.
        boots: how often it was told to boot; callbacks of an older boot are ignored.
        restarts: how often the restart policy brought it back since the last start.
        body_running: whether its body runs, frozen or not.
        stop_requested: whether the running body was asked to stop.
        oom: the body is being killed for lack of memory.
        in_place: created with skip_launch, and its image is there: it may be started although not stopped.
        active_until: before this a start is refused with "machine still active".
        host_status: "unreachable" hides the config and freezes the body.
        events: oldest first.
    """

    id: str
    name: str
    app: str
    region: str
    config: dict[str, Any]
    skip_launch: bool
    instance_id: str
    private_ip: str
    created_at: float
    updated_at: float
    visible_from: float
    hidden_from: float | None = None
    state: State = "created"
    state_before_end: State = "created"
    boots: int = 0
    restarts: int = 0
    body_running: bool = False
    stop_requested: bool = False
    oom: bool = False
    in_place: bool = False
    active_until: float = 0.0
    host_status: HostStatus = "ok"
    events: list[Event] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether Fly still has it: everything up to destroyed counts, stopped ones too."""
        return self.state != "destroyed"

    @property
    def holds_room(self) -> bool:
        """Whether it takes CPU and memory of its host; one that is stopped or was never started does not."""
        return self.state != "stopped" and not (self.state == "created" and self.skip_launch)

    @property
    def metadata(self) -> dict[str, str]:
        """The metadata of its configuration."""
        return self.config.get("metadata") or {}

    @property
    def pool(self) -> str:
        """The pool its metadata names; empty for a Machine that names none."""
        return self.metadata.get(POOL_KEY, "")

    @property
    def auto_destroy(self) -> bool:
        """Whether it destroys itself when its body exits, whatever the exit code (measured)."""
        return bool(self.config.get("auto_destroy"))

    @property
    def image(self) -> str:
        """The image reference as sent."""
        return str(self.config.get("image", ""))
