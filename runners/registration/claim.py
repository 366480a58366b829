"""Claim: a booted Machine proves who it is and gets its registration, once.

Each look at the store is one transaction (``handout``), and the nonce is bound before the answer leaves. If
the process dies after that commit, the same Machine asks again with the same nonce and gets the same answer,
until it acknowledges or ``claim_grace`` has passed. Nobody else ever does.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from pydantic import SecretStr
from sqlalchemy import Connection

from runners.model.nouns import Runner
from runners.model.timing import Timing
from runners.registration.bounded import BoundedEvents
from runners.registration.doorbell import Doorbell
from runners.registration.handout import Call, ClaimRefused, HandedOut, HandOuts, Replaced, VerifiedIdentity
from runners.registration.judge import Refused
from runners.registration.registration import Registration, SealBroken, Sealer, token_hash
from runners.store import runners, sealed
from runners.store.engine import Store
from runners.upstream.clock import Clock

__all__ = ["ClaimDesk", "ClaimRefused", "Handed", "TokenChecker"]


class TokenChecker(Protocol):
    """The part of the provider that verifies Fly's OIDC tokens."""

    async def identify(self, token: str, now: float) -> VerifiedIdentity:
        """The bearer's identity; raises IdentityError, or UpstreamError when the keys cannot be had."""


@dataclass(frozen=True, slots=True)
class Handed:
    """What a successful claim answers."""

    registration: Registration
    machine: str
    pool: str


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
        wake_planner: called when a registration has to be minted anew.
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
        wake_planner: Callable[[], None],
    ) -> None:
        self._store = store
        self._checker = checker
        self._sealer = sealer
        self._clock = clock
        self._timing = timing
        self._hand_outs = HandOuts(timing, BoundedEvents())
        self._doorbell = doorbell
        self._reached = reached
        self._wake_planner = wake_planner

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
                call = Call(identity, token_hash(nonce), self._sealer(), fresh, self._clock.now())
                outcome = await self._store.run(partial(self._hand_outs.look, call=call))
                fresh = False
                if isinstance(outcome, Refused):
                    raise ClaimRefused(outcome)
                if isinstance(outcome, SealBroken):
                    raise outcome
                if isinstance(outcome, HandedOut):
                    self._reached("claim.bound")
                    return Handed(outcome.registration, identity.machine_name, outcome.pool)
                if isinstance(outcome, Replaced):
                    self._wake_planner()
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
