"""Access mode ``lease``: a TokenSource whose installation tokens are leased, one lease per owner and hour."""

from pydantic import SecretStr

from runners.github.kept_tokens import KeptTokens


class LeasedTokens(KeptTokens):
    """Keeps one leased token per owner; ``mint`` makes the lease.

    A restart makes one lease per owner: a lease is not written down, since its token would be.
    """

    async def app_jwt(self) -> SecretStr | None:
        """None: Infisical holds the App key, and signs nothing for others."""
        return None

    async def registration_token(self, scope: str) -> SecretStr | None:  # noqa: ARG002 - the seam's signature
        """None: the client mints registration tokens with the installation token."""
        return None
