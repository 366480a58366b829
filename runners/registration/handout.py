"""Hand-out: one look of one claim at the store, in one transaction: refused, not yet, or the registration.

The Machine's id is adopted by compare-and-set (a claim may come before the create's answer), the token's
``jti`` is used up, and the nonce is bound, all before the answer leaves.
"""

from dataclasses import dataclass
from typing import Protocol

from sqlalchemy import Connection

from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.model.timing import Timing
from runners.registration.bounded import BoundedEvents
from runners.registration.judge import (
    REFUSED,
    RETIRED,
    HandOut,
    Identity,
    Refused,
    Wait,
    judge_machine,
    judge_runner,
)
from runners.registration.registration import Registration, SealBroken, Sealer
from runners.store import events, machines, runners, sealed

ACTOR = "claim"
REPLAYED = "this token was used before"


class VerifiedIdentity(Identity, Protocol):
    """An Identity and the token's own marks."""

    @property
    def jti(self) -> str:
        """The token's unique id."""

    @property
    def expires_at(self) -> float:
        """The token's exp, Unix seconds."""


class ClaimRefused(Exception):
    """A claim that gets nothing."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.reason}: {refused.detail}")
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Call:
    """One look of one claim.

    Attributes:
        nonce: hash of the caller's nonce.
        sealer: of the current fleet key.
        fresh: the claim's first look, the one that uses up its token.
        now: Unix seconds.
    """

    identity: VerifiedIdentity
    nonce: str
    sealer: Sealer
    fresh: bool
    now: float


@dataclass(frozen=True, slots=True)
class Replaced:
    """Nothing to hand out yet: what was sealed did not open, and the planner is to mint another one."""


@dataclass(frozen=True, slots=True)
class HandedOut:
    """The registration, bound to the caller's nonce; ``pool`` is that of its Runner."""

    registration: Registration
    pool: str


Outcome = Refused | Wait | Replaced | HandedOut | SealBroken


class HandOuts:
    """Decides and records looks.

    Args:
        timing: the grace times.
        bounded: a Machine's job can mint tokens of its own and be refused as often as it likes; each
            refusal is written at most once a minute per Machine and Reason, with a count.
    """

    def __init__(self, timing: Timing, bounded: BoundedEvents) -> None:
        self._timing = timing
        self._bounded = bounded

    def look(self, conn: Connection, call: Call) -> Outcome:
        """One look.

        Raises:
            ClaimRefused: the planner retired the Runner meanwhile; everything done here is rolled back.
        """
        if call.fresh and sealed.seen_jti(conn, call.identity.jti):
            return self._audit(conn, call, Refused(Reason.TOKEN_REPLAYED, REFUSED, REPLAYED))
        machine = machines.get(conn, call.identity.machine_name)
        refused = judge_machine(call.identity, machine, self._timing)
        if refused is not None or machine is None or machine.boot is None:
            return Wait() if refused is None else self._audit(conn, call, refused)
        if not machines.adopt(conn, machine.name, call.identity.machine_id):
            detail = f"Machine {machine.name} has another id at Fly"
            return self._audit(conn, call, Refused(Reason.CLAIM_BY_OTHER_MACHINE, REFUSED, detail))
        history = runners.by_machine(conn, machine.name)
        _arrived(conn, machine, history, call.now)
        outcome = self._settle(conn, call, machine, history)
        # A refused claim got nothing, so its token need not be remembered.
        used_up = call.fresh and not isinstance(outcome, Refused)
        if used_up and not sealed.remember_jti(conn, call.identity.jti, call.identity.expires_at):
            raise ClaimRefused(Refused(Reason.TOKEN_REPLAYED, REFUSED, REPLAYED))
        return outcome

    def _settle(self, conn: Connection, call: Call, machine: Machine, history: tuple[Runner, ...]) -> Outcome:
        boot_seq = 0 if machine.boot is None else machine.boot.seq
        alive = [r for r in history if r.state not in (RunnerState.RETIRING, RunnerState.GONE)]
        kept = next((found for r in alive if (found := sealed.get(conn, r.name)) is not None), None)
        verdict = judge_runner(
            history,
            boot_seq=boot_seq,
            sealed=kept is not None,
            bound_to=None if kept is None else kept.nonce_hash,
            bound_at=None if kept is None else kept.claimed_at,
            nonce=call.nonce,
            now=call.now,
            timing=self._timing,
        )
        if isinstance(verdict, Refused):
            return self._audit(conn, call, verdict)
        if not isinstance(verdict, HandOut) or kept is None:
            return Wait()
        try:
            # Opened before anything is bound: what cannot be handed out must not count as handed out.
            registration = call.sealer.open(verdict.runner, kept.ciphertext)
        except SealBroken as broken:
            return self._unopened(conn, call, history, broken)
        if not sealed.bind_nonce(conn, verdict.runner, call.nonce, call.now):
            lost = Refused(Reason.CLAIM_BY_OTHER_NONCE, REFUSED, "another caller was first")
            return self._audit(conn, call, lost)
        claimed = runners.move(
            conn,
            verdict.runner,
            RunnerState.CLAIMED,
            at=call.now,
            actor=ACTOR,
            reason=Reason.OBSERVED,
            detail=f"handed to Machine {machine.name}",
            claimed_at=call.now,
        )
        if not claimed and kept.nonce_hash is None:
            # The planner retired the Runner between our reading and our move: undo the binding too.
            raise ClaimRefused(
                Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"runner {verdict.runner} is retired")
            )
        machines.move(
            conn, machine.name, MachineState.BOUND, at=call.now, actor=ACTOR, reason=Reason.OBSERVED
        )
        return HandedOut(registration, machine.pool)

    def _unopened(
        self,
        conn: Connection,
        call: Call,
        history: tuple[Runner, ...],
        broken: SealBroken,
    ) -> Refused | Replaced | SealBroken:
        """The registration does not open: its Runner retires, and the planner mints another one.

        Once per Machine only. When the next does not open either, two dispatchers differ in their key, and
        minting on would only spend GitHub's write limit: the call waits for the operator, the Runner for its
        deadline.
        """
        if any(runner.reason is Reason.SEAL_BROKEN for runner in history):
            return broken
        runners.move(
            conn,
            broken.runner,
            RunnerState.RETIRING,
            at=call.now,
            actor=ACTOR,
            reason=Reason.SEAL_BROKEN,
            detail="its registration was sealed with another FLY_GHA_FLEET_KEY, or altered; it is replaced",
            retiring_at=call.now,
        )
        sealed.delete(conn, broken.runner)
        if any(runner.name == broken.runner and runner.claimed_at is not None for runner in history):
            gone = Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"runner {broken.runner} is retired")
            return self._audit(conn, call, gone)
        return Replaced()

    def _audit(self, conn: Connection, call: Call, refused: Refused) -> Refused:
        machine = call.identity.machine_name
        detail = self._bounded.worded((machine, refused.reason), call.now, f"claim refused: {refused.detail}")
        if detail is not None:
            events.append(
                conn,
                at=call.now,
                actor=f"machine:{call.identity.machine_id}",
                verb="refused",
                target=f"machine/{machine}",
                reason=refused.reason,
                detail=detail,
                outcome="refused",
            )
        return refused


def _arrived(conn: Connection, machine: Machine, history: tuple[Runner, ...], now: float) -> None:
    """A call proves that the Machine has booted, whatever the Machine list says so far."""
    boot = machine.boot
    if boot is None or boot.ready_at is not None:
        return
    machines.update_boot(conn, machine.name, boot.seq, ready_at=now, started_at=boot.started_at or now)
    machines.move(conn, machine.name, MachineState.READY, at=now, actor=ACTOR, reason=Reason.OBSERVED)
    for runner in history:
        if runner.boot_seq == boot.seq:
            runners.move(conn, runner.name, RunnerState.BOOTING, at=now, actor=ACTOR, reason=Reason.OBSERVED)
