"""KeptTokens: one installation token per owner, got once for all who ask, replaced before it ends.

What an access mode that gets its own tokens (``app``, ``lease``) has in common. A token that lives is used on
while another one cannot be had, so a short trouble of whoever mints stops nothing.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from pydantic import SecretStr

from runners.github.tokens import SingleFlight
from runners.upstream.clock import Clock

Mint = Callable[[str], Awaitable[tuple[SecretStr, float]]]

# A token refused so soon after it was got was not revoked: another one would be refused as well.
_FRESH_S = 30.0
# While a token lives that could not be replaced, the next attempt waits so long.
_RETRY_S = 30.0
# A call has a deadline of 10 s; a token with less left is as good as over.
_USABLE_S = 20.0


@dataclass(frozen=True, slots=True)
class _Grant:
    token: SecretStr
    got_at: float
    renew_at: float
    ends_at: float


class KeptTokens:
    """Keeps the tokens of an access mode.

    Args:
        mint: gets a new token for an owner, with its end in Unix seconds.
        clock: decides when a token is too old.
        margin: seconds before its end at which a token is replaced.
    """

    def __init__(self, mint: Mint, clock: Clock, *, margin: float) -> None:
        self._mint = mint
        self._clock = clock
        self._margin = margin
        self._grants: dict[str, _Grant] = {}
        self._failures: dict[str, Exception] = {}
        self._flights = SingleFlight[_Grant]()

    async def token(self, owner: str) -> SecretStr:
        """An installation token of an account, got when there is none with enough life left.

        Raises:
            UpstreamError: it could not be had, and no other lives. (What ``mint`` raises for a missing
                credential passes through.)
        """
        key, now = owner.lower(), self._clock.now()
        grant = self._grants.get(key)
        if grant is not None and now < grant.renew_at:
            return grant.token
        try:
            grant = await self._flights.join(key, lambda: self._get(owner))
        except Exception:
            if grant is None or grant.ends_at - _USABLE_S <= now:
                raise
            self._grants[key] = _Grant(
                grant.token, grant.got_at, min(now + _RETRY_S, grant.ends_at - _USABLE_S), grant.ends_at
            )
        return grant.token

    async def renew(self, owner: str, refused: SecretStr) -> SecretStr | None:
        """A token other than the refused one; None when it is so young that another cannot help.

        Raises:
            UpstreamError: as ``token``.
        """
        grant = self._grants.get(owner.lower())
        if grant is not None and grant.token == refused:
            if self._clock.now() - grant.got_at < _FRESH_S:
                return None
            del self._grants[owner.lower()]
        return await self.token(owner)

    async def prepare(self, owners: Iterable[str]) -> None:
        """Get the tokens that are missing, so that what is wrong is known before a Machine waits for one.

        What fails is told by ``missing``.
        """
        for owner in owners:
            try:
                await self.token(owner)
            except Exception as failure:  # noqa: BLE001 - a missing credential is the source's own error
                self._failures[owner.lower()] = failure

    def left(self, owners: Iterable[str]) -> dict[str, float]:
        """By owner, seconds that the token in use has to live."""
        now, grants = self._clock.now(), self._grants
        return {owner: grants[owner.lower()].ends_at - now for owner in owners if owner.lower() in grants}

    def missing(self, owners: Iterable[str]) -> dict[str, str]:
        """By owner, in one line, why there is no token; who has one, or was never asked, is absent."""
        now = self._clock.now()
        found: dict[str, str] = {}
        for owner in owners:
            grant, failure = self._grants.get(owner.lower()), self._failures.get(owner.lower())
            if failure is not None and (grant is None or grant.ends_at - _USABLE_S <= now):
                found[owner] = str(failure)
        return found

    async def _get(self, owner: str) -> _Grant:
        got_at = self._clock.now()
        try:
            token, ends_at = await self._mint(owner)
        except Exception as failure:
            self._failures[owner.lower()] = failure
            raise
        self._failures.pop(owner.lower(), None)
        # At most half of its life, so that a wrong clock does not mean a mint with every call.
        margin = min(self._margin, max(0.0, ends_at - got_at) / 2)
        grant = _Grant(token, got_at, ends_at - margin, ends_at)
        self._grants[owner.lower()] = grant
        return grant
