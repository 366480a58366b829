"""Where a call's credential comes from: the seam between the GitHub client and the ways of access.

``published`` (runners.secrets.github_tokens) hands out what a publisher made, ``lease``
(runners.github.leased_tokens) has Infisical mint, ``app`` (runners.github.app_tokens) mints for itself. The
client asks for a token with every call and keeps none, so a rotation needs no restart.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar, runtime_checkable

from pydantic import SecretStr

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ExpiringToken:
    """A token and when it ends, in Unix seconds by GitHub's clock."""

    token: SecretStr
    expires_at: float


class TokenSource(Protocol):
    """Hands out GitHub credentials."""

    async def token(self, owner: str) -> SecretStr:
        """An installation token for an account.

        Raises:
            UpstreamError: it could not be had now. (A source may raise its own error for a missing
                credential.)
        """
        ...

    async def app_jwt(self) -> SecretStr | None:
        """A token to act as the App itself, or None when this source does not hold the App key."""
        ...

    async def registration_token(self, scope: str) -> SecretStr | None:
        """A registration token for ``orgs/NAME`` or ``repos/OWNER/NAME``, or None: it has to be minted."""
        ...


@runtime_checkable
class RenewingTokenSource(TokenSource, Protocol):
    """A source that can replace a token which GitHub refused before its time (revoked, rights changed)."""

    async def renew(self, owner: str, refused: SecretStr) -> SecretStr | None:
        """A token other than the refused one, or None when another one would not help."""
        ...


class SingleFlight(Generic[T]):
    """Lets callers who want the same thing at the same time share one attempt, its failure included.

    A lock would do for success; after a failure it would let every waiter fail anew, one after the other.
    """

    def __init__(self) -> None:
        self._flights: dict[str, asyncio.Task[T]] = {}

    async def join(self, key: str, make: Callable[[], Awaitable[T]]) -> T:
        """The result of the attempt under way for ``key``, or of a new one; who gives up ends nothing."""
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(_run(make))
            self._flights[key] = flight
            flight.add_done_callback(lambda done: self._landed(key, done))
        return await asyncio.shield(flight)

    def _landed(self, key: str, done: asyncio.Task[T]) -> None:
        self._flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # looked at, so that a failure every caller gave up on is not reported as unseen


async def _run(make: Callable[[], Awaitable[T]]) -> T:
    return await make()
