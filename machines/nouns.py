"""What is asked of a provider and what it tells: plain values that know nothing of Fly's client."""

from dataclasses import dataclass
from typing import Literal

IdentityFault = Literal["forged", "expired", "early", "malformed"]


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """One Machine to create.

    Attributes:
        name: unique for ever; it is what makes a lost create findable.
        region: one Fly region.
        machine_class: name of a class.
        image: a reference, best with a digest.
        fleet: the owner tag; only Machines that carry it are ours.
        url: where the boot agent reaches the dispatcher; also its token's audience.
        start: False creates a stopped spare.
        claim_deadline_s: the boot agent gives up claiming after so many seconds.
        clock_skew_max_s: the boot agent refuses to work on a clock further off than this.
    """

    name: str
    app: str
    region: str
    pool: str
    machine_class: str
    image: str
    fleet: str
    url: str
    start: bool
    claim_deadline_s: float
    clock_skew_max_s: float


@dataclass(frozen=True, slots=True)
class Found:
    """One Machine as Fly shows it.

    Attributes:
        state: Fly's word, or "" when Fly does not know the id.
        host_ok: False when Fly could not reach its host; its tags may be missing then.
        fleet: the owner tag, or None without one.
        exit_code: of the main process, when an exit was told.
        oom: whether that exit was for lack of memory.
        ended: destroyed, or unknown to Fly.
        volumes: ids of the volumes it mounts.
    """

    fly_id: str
    name: str
    app: str
    region: str
    state: str
    host_ok: bool
    fleet: str | None
    exit_code: int | None = None
    oom: bool = False
    ended: bool = False
    volumes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FoundVolume:
    """One volume of a fleet as Fly shows it.

    Attributes:
        attached: some Machine has it, or its host cannot be asked whether one has.
    """

    volume_id: str
    app: str
    region: str
    size_gb: int
    attached: bool


@dataclass(frozen=True, slots=True)
class MachineIdentity:
    """Who a Machine's token proves it to be; times in Unix seconds.

    Attributes:
        image_digest: ``sha256:…``, or "" when Fly did not say.
        jti: the token's own id, to be accepted once.
    """

    app: str
    machine_name: str
    machine_id: str
    image_digest: str
    region: str
    issued_at: float
    expires_at: float
    jti: str


class IdentityError(Exception):
    """A token proves nothing.

    Attributes:
        kind: forged, expired, early or malformed.
        detail: the check that failed; never the token.
    """

    def __init__(self, kind: IdentityFault, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: IdentityFault = kind
        self.detail = detail
