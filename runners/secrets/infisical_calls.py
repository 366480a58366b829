"""Calls to one Infisical with a live access token, logged in by the configured method.

Small on purpose: the official SDK has no timeouts, repeats POSTs and does not encode names (infisicalsdk
1.0.18, read and run).
"""

from collections.abc import Mapping

import httpx

from runners.model.settings import InfisicalSettings
from runners.secrets.infisical_answers import no_answer, refusal, token_refused
from runners.secrets.infisical_login import InfisicalLogin, Method
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

USER_AGENT = "fly-gha"


class InfisicalCalls:
    """One session at one Infisical, shared by all who call it.

    Args:
        settings: where it is, and where in it things are.
        method: proves who we are.
        clock: when access tokens age.
        transport: sends, and holds the deadline and the breaker; closed with this.
    """

    def __init__(
        self,
        settings: InfisicalSettings,
        method: Method,
        clock: Clock,
        transport: httpx.AsyncBaseTransport,
    ) -> None:
        self.settings = settings
        self._clock = clock
        self._http = httpx.AsyncClient(
            transport=transport,
            base_url=settings.base_url,
            headers={"User-Agent": USER_AGENT},
            timeout=None,  # noqa: S113 - the transport's is the one deadline, over the whole exchange
            trust_env=False,
        )
        self._login = InfisicalLogin(self._http, method, clock, settings)

    async def send(
        self,
        method: str,
        path: str,
        attempted: str,
        *,
        params: Mapping[str, str] | None = None,
        json: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        """Send with an access token; when that is refused, once more with a new one.

        A refused token means that nothing was done, so even a write is safe to send again.

        Raises:
            UpstreamError: no answer, or no login.
            CredentialMissing, SourceRefused: what opens Infisical is missing, or must not be used.
        """
        token = await self._login.token()
        for last in (False, True):
            authorized = {**(headers or {}), "Authorization": f"Bearer {token.get_secret_value()}"}
            try:
                answer = await self._http.request(method, path, params=params, json=json, headers=authorized)
            except httpx.HTTPError as error:
                raise no_answer(error, attempted, mutating=method != "GET") from None
            if last or not token_refused(answer):
                break
            token = await self._login.token(refused=token)
        return answer

    def refusal(self, answer: httpx.Response, attempted: str, *, mutating: bool = False) -> UpstreamError:
        """What an answer that is no success means; what is not there is named by its setting."""
        return refusal(answer, attempted, self._clock.now(), mutating=mutating, settings=self.settings)

    async def close(self) -> None:
        """Close the client and its transport."""
        await self._http.aclose()
