"""Access mode ``app``: a TokenSource that mints for itself, and the same key at work for the publisher."""

from collections.abc import Mapping

from pydantic import SecretStr

from runners.github.app_auth import AppMinter, AppSigner
from runners.github.kept_tokens import KeptTokens
from runners.github.registrations import Registrations
from runners.github.token_probe import TokenProbe
from runners.upstream.clock import Clock


class AppTokens(KeptTokens):
    """Keeps one installation token per owner, minted once for all who ask at the same time.

    Args:
        minter: mints.
        signer: signs as the App.
        clock: decides when a token is too old.
        margin: seconds before its end at which a token is replaced.
    """

    def __init__(self, minter: AppMinter, signer: AppSigner, clock: Clock, *, margin: float = 600.0) -> None:
        super().__init__(minter.installation_token, clock, margin=margin)
        self._signer = signer

    async def app_jwt(self) -> SecretStr:
        """A token to act as the App itself.

        Raises:
            UpstreamError: the key is no key.
        """
        return await self._signer.app_jwt()

    async def registration_token(self, scope: str) -> SecretStr | None:  # noqa: ARG002 - the seam's signature
        """None: the client mints registration tokens with the installation token."""
        return None


class AppPublishing:
    """What the token publisher gets from GitHub (the AppTokens of runners.secrets.interface).

    Args:
        minter: mints installation tokens, narrowed as asked.
        registrations: a client that acts with AppTokens.
        probe: asks whether a token is still good.
    """

    def __init__(self, minter: AppMinter, registrations: Registrations, probe: TokenProbe) -> None:
        self._minter = minter
        self._registrations = registrations
        self._probe = probe

    async def refuses(self, token: SecretStr) -> bool:
        """Whether GitHub no longer takes an installation token."""
        return await self._probe.refuses(token)

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
