"""OIDC Auth with Fly's own word: the Machine this process runs on proves who we are, and nothing is stored.

Every login mints a new token, which is no change after a refusal: what an operator changes is the identity at
Infisical, or the settings.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping

import httpx
from pydantic import SecretStr

from runners.secrets.infisical_answers import UPSTREAM, message_of
from runners.secrets.infisical_login import ATTEMPTED, Proof
from runners.upstream.errors import ErrorClass, UpstreamError

# What Infisical's sentences mean for the identity's OIDC Auth, by a part of them (its source).
_REFUSALS: Mapping[str, tuple[str, str]] = {
    "subject not allowed": (
        "the identity does not allow this Machine's subject",
        "set its boundSubject to ORG:APP:*, with the Fly organization and app that this process runs in",
    ),
    "audience not allowed": (
        "the identity does not allow the token's audience",
        "make its boundAudiences and infisical.audience the same",
    ),
    "claim not allowed": (
        "the identity does not allow one of the token's claims",
        "set its boundClaims to app_name = APP, the Fly app that this process runs in",
    ),
    "issuer invalid": (
        "the identity expects another issuer",
        "set its boundIssuer to https://oidc.fly.io/ORG, with the Fly organization that this process runs in",
    ),
    "discovery document": (
        "Infisical could not read the issuer's discovery document",
        "set the identity's oidcDiscoveryUrl to https://oidc.fly.io/ORG, without a slash at the end",
    ),
}
_OTHER = (
    "Infisical does not accept this Machine's token",
    "compare the identity's OIDC Auth with docs/credentials.md",
)
_LATER = "; it is tried again by itself, and at once after a restart"


class FlyOidc:
    """The login with a token that Fly mints for this Machine; a Method.

    Args:
        identity_id: the machine identity at Infisical.
        audience: of the token.
        mint: gives a new token for an audience; what it raises for a missing socket passes through.
        shared_app: the Fly app of this Machine, when runners boot in it, too; "" when none do.
    """

    path = "/api/v1/auth/oidc-auth/login"

    def __init__(
        self,
        identity_id: str,
        audience: str,
        mint: Callable[[str], Awaitable[SecretStr]],
        shared_app: str = "",
    ) -> None:
        self._identity_id = identity_id
        self._audience = audience
        self._mint = mint
        self._shared_app = shared_app

    async def proof(self) -> Proof:
        """Who we claim to be; the token is minted when it is sent.

        Raises:
            UpstreamError: job code could claim the same.
        """
        if self._shared_app:
            raise UpstreamError(
                upstream=UPSTREAM,
                error_class=ErrorClass.REFUSED,
                attempted=ATTEMPTED,
                why=f"runners boot in {self._shared_app}, too, and any job there could log in as this does",
                next_step="run it in a Fly app of its own, and bind the identity to that app",
            )

        async def presented() -> Mapping[str, str]:
            try:
                token = await self._mint(self._audience)
            except UpstreamError as error:
                if error.error_class is ErrorClass.REFUSED:
                    error.next_step = 'run it on a Fly Machine, or set infisical.auth = "universal"'
                raise
            return {"identityId": self._identity_id, "jwt": token.get_secret_value()}

        told = f"{self._identity_id}\0{self._audience}"
        return Proof(hashlib.sha256(told.encode()).digest(), presented)

    def refused(self, answer: httpx.Response) -> tuple[str, str]:
        """Which of the identity's bounds did not fit, as far as Infisical says."""
        said = message_of(answer)
        why, step = next((meaning for part, meaning in _REFUSALS.items() if part in said), _OTHER)
        return why, step + _LATER
