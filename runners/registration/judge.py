"""The claim's decision: may this booted Machine have a registration now? Pure; the claim acts on it."""

from dataclasses import dataclass
from typing import Protocol

from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.model.timing import Timing

REFUSED = 403
EARLY = 401
RETIRED = 410


class Identity(Protocol):
    """What a verified Fly OIDC token says of its bearer."""

    @property
    def app(self) -> str:
        """The Fly app."""

    @property
    def machine_name(self) -> str:
        """The Machine's name."""

    @property
    def machine_id(self) -> str:
        """Fly's id of the Machine."""

    @property
    def image_digest(self) -> str | None:
        """Digest of the image it booted, as ``sha256:…``."""

    @property
    def issued_at(self) -> float:
        """The token's iat, Unix seconds."""


@dataclass(frozen=True, slots=True)
class Refused:
    """No. The HTTP status says what next: 401 ask again with a new token, 403 never, 410 it is retired."""

    reason: Reason
    status: int
    detail: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to hand out yet: a spare, or the mint is under way."""


@dataclass(frozen=True, slots=True)
class HandOut:
    """Yes: bind the nonce and hand out this Runner's registration."""

    runner: str


Verdict = Refused | Wait | HandOut


def judge_machine(identity: Identity, machine: Machine | None, timing: Timing) -> Refused | None:
    """Whether the bearer is the Machine that the row means, in the boot that the row means."""
    if machine is None:
        return Refused(
            Reason.CLAIM_BY_UNKNOWN_MACHINE, REFUSED, "no row of this fleet has this Machine's name"
        )
    if machine.app != identity.app:
        detail = f"Machine {machine.name} belongs to app {machine.app}, the token is of another"
        return Refused(Reason.CLAIM_FROM_OTHER_APP, REFUSED, detail)
    if machine.state is MachineState.GONE or machine.destroy_sent_at is not None:
        return Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"Machine {machine.name} is retired")
    if machine.fly_id is not None and machine.fly_id != identity.machine_id:
        return Refused(
            Reason.CLAIM_BY_OTHER_MACHINE, REFUSED, f"Machine {machine.name} has another id at Fly"
        )
    digest = machine.image.partition("@")[2]
    if not digest or identity.image_digest != digest:
        return Refused(Reason.CLAIM_WITH_OTHER_IMAGE, REFUSED, f"Machine {machine.name} runs another image")
    if machine.boot is None or identity.issued_at < machine.boot.launched_at - timing.clock_leeway:
        return Refused(Reason.TOKEN_EARLY, EARLY, "the token is older than this boot's launch")
    return None


def judge_runner(
    runners: tuple[Runner, ...],
    *,
    boot_seq: int,
    sealed: bool,
    bound_to: str | None,
    bound_at: float | None,
    nonce: str,
    now: float,
    timing: Timing,
) -> Verdict:
    """Whether the Machine's Runner has a registration for this nonce.

    Args:
        runners: every Runner this Machine ever had.
        boot_seq: the boot the claim comes from.
        sealed: whether a sealed registration of its live Runner is stored.
        bound_to: hash of the nonce it was handed to, or None.
        bound_at: when that was.
        nonce: hash of the caller's nonce.
        now: Unix seconds.
        timing: the grace times.
    """
    held = [runner for runner in runners if runner.claimed_at is not None]
    live = next((runner for runner in runners if _may_claim(runner, boot_seq)), None)
    if live is None:
        if held:
            return Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"runner {held[-1].name} is retired")
        return Wait()
    if not sealed:
        if live.claimed_at is not None:
            detail = f"the registration of runner {live.name} was handed out and acknowledged"
            return Refused(Reason.CLAIM_WINDOW_OVER, REFUSED, detail)
        return Wait()
    if bound_to is not None and bound_to != nonce:
        detail = f"the registration of runner {live.name} was handed out to another caller"
        return Refused(Reason.CLAIM_BY_OTHER_NONCE, REFUSED, detail)
    if bound_at is not None and now - bound_at > timing.claim_grace:
        detail = f"the registration of runner {live.name} was handed out over {timing.claim_grace:g} s ago"
        return Refused(Reason.CLAIM_WINDOW_OVER, REFUSED, detail)
    return HandOut(live.name)


def _may_claim(runner: Runner, boot_seq: int) -> bool:
    ended = runner.state in (RunnerState.RETIRING, RunnerState.GONE)
    return runner.boot_seq == boot_seq and not ended
