"""Claim: a booted Machine proves who it is and gets its registration, once.

Every call is one transaction: the token's ``jti`` is remembered, the Machine's id is adopted by
compare-and-set (a claim may come before the create's answer), and the nonce is bound before the answer
leaves. If the process dies after that commit, the same Machine asks again with the same nonce and gets the
same answer, until it acknowledges or ``claim_grace`` has passed. Nobody else ever does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import SecretStr
from sqlalchemy import Connection

from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.model.timing import Timing
from runners.registration.doorbell import Doorbell
from runners.registration.judge import (
    RETIRED,
    HandOut,
    Identity,
    Refused,
    Wait,
    judge_machine,
    judge_runner,
)
from runners.registration.registration import Registration, SealBroken, Sealer, token_hash
from runners.store import events, machines, runners, sealed
from runners.store.engine import Store
from runners.upstream.clock import Clock

ACTOR = "claim"


class TokenChecker(Protocol):
    """The part of the provider that verifies Fly's OIDC tokens."""

    async def identify(self, token: str, now: float) -> "VerifiedIdentity":
        """The bearer's identity; raises IdentityError, or UpstreamError when the keys cannot be had."""


class VerifiedIdentity(Identity, Protocol):
    """An Identity and the token's own marks."""

    @property
    def jti(self) -> str:
        """The token's unique id."""

    @property
    def expires_at(self) -> float:
        """The token's exp, Unix seconds."""


class ClaimRefused(Exception):
    """A claim that gets nothing; the refusal was written to the event log by the same transaction."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(f"{refused.reason}: {refused.detail}")
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Handed:
    """What a successful claim answers."""

    registration: Registration
    machine: str


class ClaimDesk:
    """Hands out registrations.

    Args:
        store: where Machines, Runners and sealed registrations are.
        checker: verifies the bearer's token.
        sealer: gives the current Sealer; raises CredentialMissing when the fleet key is.
        clock: for expiry and for the poll.
        timing: the grace times.
        doorbell: rung when a registration was sealed.
        reached: called with the name of each step; the crash tests end the process there.
    """

    def __init__(
        self,
        store: Store,
        checker: TokenChecker,
        sealer: Callable[[], Sealer],
        clock: Clock,
        timing: Timing,
        doorbell: Doorbell,
        reached: Callable[[str], None],
    ) -> None:
        self._store = store
        self._checker = checker
        self._sealer = sealer
        self._clock = clock
        self._timing = timing
        self._doorbell = doorbell
        self._reached = reached

    async def claim(self, token: str, nonce: str) -> Handed | None:
        """The registration, or None when there was nothing to hand out for ``claim_poll`` seconds.

        Raises:
            ClaimRefused: with the Reason and the HTTP status that tells the agent what to do.
            IdentityError: the token is forged, expired, early or malformed.
            StoreUnavailable, UpstreamError, CredentialMissing, SealBroken: cannot decide now; the agent
                asks again.
        """
        identity = await self._checker.identify(token, self._clock.now())
        ends = self._clock.now() + self._timing.claim_poll
        fresh = True
        with self._doorbell.listen(identity.machine_name) as bell:
            while True:
                # Asked for with each look: the fleet key may be rotated during the poll.
                call = _Call(identity, token_hash(nonce), self._sealer(), fresh)
                outcome = await self._store.run(lambda conn, call=call: self._once(conn, call))  # type: ignore[misc]
                fresh = False
                if isinstance(outcome, Refused):
                    raise ClaimRefused(outcome)
                if isinstance(outcome, SealBroken):
                    raise outcome
                if isinstance(outcome, Registration):
                    self._reached("claim.bound")
                    return Handed(outcome, identity.machine_name)
                if not await bell.heard(ends - self._clock.now()):
                    return None

    async def acknowledge(self, hook_token: SecretStr) -> Runner | None:
        """The agent has the registration: remove the sealed copy. None when the token is no Runner's."""

        def op(conn: Connection) -> Runner | None:
            runner = runners.by_hook_token(conn, token_hash(hook_token.get_secret_value()))
            if runner is not None:
                sealed.delete(conn, runner.name)
            return runner

        return await self._store.run(op)

    def _once(self, conn: Connection, call: "_Call") -> Refused | Wait | Registration | SealBroken:
        """One look at the store."""
        now, identity = self._clock.now(), call.identity
        if call.fresh and not sealed.remember_jti(conn, identity.jti, identity.expires_at):
            return self._audit(
                conn, identity, Refused(Reason.TOKEN_REPLAYED, 403, "this token was used before"), now
            )
        machine = machines.get(conn, identity.machine_name)
        refused = judge_machine(identity, machine, self._timing)
        if refused is not None or machine is None or machine.boot is None:
            return Wait() if refused is None else self._audit(conn, identity, refused, now)
        if not machines.adopt(conn, machine.name, identity.machine_id):
            other = Refused(
                Reason.CLAIM_BY_OTHER_MACHINE, 403, f"Machine {machine.name} has another id at Fly"
            )
            return self._audit(conn, identity, other, now)
        history = runners.by_machine(conn, machine.name)
        self._arrived(conn, machine, history, now)
        return self._settle(conn, call, machine, history, now)

    def _settle(
        self, conn: Connection, call: "_Call", machine: Machine, history: tuple[Runner, ...], now: float
    ) -> Refused | Wait | Registration | SealBroken:
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
            now=now,
            timing=self._timing,
        )
        if isinstance(verdict, Refused):
            return self._audit(conn, call.identity, verdict, now)
        if not isinstance(verdict, HandOut) or kept is None:
            return Wait()
        try:
            # Opened before anything is bound: what cannot be handed out must not count as handed out.
            registration = call.sealer.open(verdict.runner, kept.ciphertext)
        except SealBroken as broken:
            return self._unopened(conn, call.identity, history, broken, now)
        if not sealed.bind_nonce(conn, verdict.runner, call.nonce, now):
            lost = Refused(Reason.CLAIM_BY_OTHER_NONCE, 403, "another caller was first")
            return self._audit(conn, call.identity, lost, now)
        claimed = runners.move(
            conn,
            verdict.runner,
            RunnerState.CLAIMED,
            at=now,
            actor=ACTOR,
            reason=Reason.OBSERVED,
            detail=f"handed to Machine {machine.name}",
            claimed_at=now,
        )
        if not claimed and kept.nonce_hash is None:
            # The planner retired the Runner between our reading and our move: undo the binding too.
            raise ClaimRefused(
                Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"runner {verdict.runner} is retired")
            )
        machines.move(conn, machine.name, MachineState.BOUND, at=now, actor=ACTOR, reason=Reason.OBSERVED)
        return registration

    def _unopened(
        self,
        conn: Connection,
        identity: Identity,
        history: tuple[Runner, ...],
        broken: SealBroken,
        now: float,
    ) -> Refused | Wait | SealBroken:
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
            at=now,
            actor=ACTOR,
            reason=Reason.SEAL_BROKEN,
            detail="its registration was sealed with another FLY_GHA_FLEET_KEY, or altered; it is replaced",
            retiring_at=now,
        )
        sealed.delete(conn, broken.runner)
        if any(runner.name == broken.runner and runner.claimed_at is not None for runner in history):
            gone = Refused(Reason.CLAIM_AFTER_RETIRE, RETIRED, f"runner {broken.runner} is retired")
            return self._audit(conn, identity, gone, now)
        return Wait()

    def _arrived(self, conn: Connection, machine: Machine, history: tuple[Runner, ...], now: float) -> None:
        """A call proves that the Machine has booted, whatever the Machine list says so far."""
        boot = machine.boot
        if boot is None or boot.ready_at is not None:
            return
        machines.update_boot(conn, machine.name, boot.seq, ready_at=now, started_at=boot.started_at or now)
        machines.move(conn, machine.name, MachineState.READY, at=now, actor=ACTOR, reason=Reason.OBSERVED)
        for runner in history:
            if runner.boot_seq == boot.seq:
                runners.move(
                    conn, runner.name, RunnerState.BOOTING, at=now, actor=ACTOR, reason=Reason.OBSERVED
                )

    def _audit(self, conn: Connection, identity: Identity, refused: Refused, now: float) -> Refused:
        events.append(
            conn,
            at=now,
            actor=f"machine:{identity.machine_id}",
            verb="refused",
            target=f"machine/{identity.machine_name}",
            reason=refused.reason,
            detail=f"claim refused: {refused.detail}",
            outcome="refused",
        )
        return refused


@dataclass(frozen=True, slots=True)
class _Call:
    """One look of one claim; ``fresh`` for its first, the one that uses up its token."""

    identity: VerifiedIdentity
    nonce: str
    sealer: Sealer
    fresh: bool
