"""Asks GitHub whether it still takes an installation token, by the one call that costs none of its limits."""

import httpx
from pydantic import SecretStr

from runners.github.calls import Call, Calls
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

_UNAUTHORIZED = 401


class TokenProbe:
    """Knows which tokens were revoked before their time.

    Args:
        transport: what sends; shared, never closed from here.
        clock: for the times that errors name.
        api_url: REST base URL.
        api_version: X-GitHub-Api-Version.
        timeout: as for the client.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
        *,
        api_url: str,
        api_version: str,
        timeout: float = 10.0,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._api_url = api_url
        self._api_version = api_version
        self._timeout = timeout

    async def refuses(self, token: SecretStr) -> bool:
        """Whether GitHub says 401 to it. A GitHub that cannot be asked has refused nothing."""
        calls = Calls(
            self._transport,
            _OneToken(token),
            self._clock,
            api_url=self._api_url,
            api_version=self._api_version,
            timeout=self._timeout,
        )
        try:
            answer = await calls.send(Call("GET", "/rate_limit", "see whether a token is still good", "any"))
        except UpstreamError:
            return False
        return answer.status_code == _UNAUTHORIZED


class _OneToken:
    """A TokenSource that has this one and no other."""

    def __init__(self, token: SecretStr) -> None:
        self._token = token

    async def token(self, owner: str) -> SecretStr:  # noqa: ARG002 - the seam's signature
        return self._token

    async def app_jwt(self) -> SecretStr | None:
        return None

    async def registration_token(self, scope: str) -> SecretStr | None:  # noqa: ARG002 - likewise
        return None
