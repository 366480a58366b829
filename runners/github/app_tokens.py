"""Access mode ``app``: a TokenSource that mints for itself, and the same key at work for the publisher."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import SecretStr

from runners.github.app_auth import AppMinter, AppSigner
from runners.github.registrations import Registrations
from runners.github.tokens import SingleFlight
from runners.upstream.clock import Clock

# A token refused so soon after it was minted was not revoked: another one would be refused as well.
_FRESH_S = 30.0


@dataclass(frozen=True, slots=True)
class _Grant:
    token: SecretStr
    minted_at: float
    renew_at: float


class AppTokens:
    """Keeps one installation token per owner, minted once for all who ask at the same time.

    Args:
        minter: mints.
        signer: signs as the App.
        clock: decides when a token is too old.
        margin: seconds before its end at which a token is replaced.
    """

    def __init__(self, minter: AppMinter, signer: AppSigner, clock: Clock, *, margin: float = 600.0) -> None:
        self._minter = minter
        self._signer = signer
        self._clock = clock
        self._margin = margin
        self._grants: dict[str, _Grant] = {}
        self._mints = SingleFlight[_Grant]()

    async def token(self, owner: str) -> SecretStr:
        """An installation token of an account, minted when there is none with enough life left.

        Raises:
            UpstreamError: the App is not installed there, its key is no key, or GitHub cannot be reached.
        """
        grant = self._grants.get(owner.lower())
        if grant is None or grant.renew_at <= self._clock.now():
            grant = await self._mints.join(owner.lower(), lambda: self._mint(owner))
        return grant.token

    async def renew(self, owner: str, refused: SecretStr) -> SecretStr | None:
        """A token other than the refused one; None when it was minted so lately that another cannot help.

        Raises:
            UpstreamError: as ``token``.
        """
        grant = self._grants.get(owner.lower())
        if grant is not None and grant.token == refused:
            if self._clock.now() - grant.minted_at < _FRESH_S:
                return None
            del self._grants[owner.lower()]
        return await self.token(owner)

    async def app_jwt(self) -> SecretStr:
        """A token to act as the App itself.

        Raises:
            UpstreamError: the key is no key.
        """
        return await self._signer.app_jwt()

    async def registration_token(self, scope: str) -> SecretStr | None:  # noqa: ARG002 - the seam's signature
        """None: the client mints registration tokens with the installation token."""
        return None

    async def _mint(self, owner: str) -> _Grant:
        minted_at = self._clock.now()
        token, expires_at = await self._minter.installation_token(owner)
        # At most half of its life, so that a wrong clock does not mean a mint with every call.
        margin = min(self._margin, max(0.0, expires_at - minted_at) / 2)
        grant = _Grant(token, minted_at, expires_at - margin)
        self._grants[owner.lower()] = grant
        return grant


class AppPublishing:
    """What the token publisher gets from GitHub (the AppTokens of runners.secrets.interface).

    Args:
        minter: mints installation tokens, narrowed as asked.
        registrations: a client that acts with AppTokens.
    """

    def __init__(self, minter: AppMinter, registrations: Registrations) -> None:
        self._minter = minter
        self._registrations = registrations

    async def installation_token(self, owner: str, permissions: Mapping[str, str]) -> tuple[SecretStr, float]:
        """A new token of the owner's installation with just these permissions, and its end.

        Raises:
            UpstreamError: it could not be minted.
        """
        return await self._minter.installation_token(owner, permissions)

    async def registration_token(self, scope: str) -> tuple[SecretStr, float]:
        """A new registration token for a scope, and its end.

        Raises:
            UpstreamError: it could not be minted.
        """
        minted = await self._registrations.mint_registration_token(scope)
        return minted.token, minted.expires_at
