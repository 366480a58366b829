"""githubkit, held to the house rules. Only ``calls`` imports this, with its first call: it is dear.

githubkit 0.16.1 is used as the request layer (base URL, headers, throttle at 100 calls at once, error types)
and with its own ways turned off where they would break the fleet:

- no retry: it repeats any 5xx, a mint too; no timeout of its own making; no HTTP cache; nothing
  process-global;
- its auth reads the wall clock and caches tokens per process: ``SourceAuth`` asks a TokenSource with every
  call;
- it keeps its client in a ContextVar, so a task begun elsewhere builds and tears down a client, and with it
  the pool, for every call: ``Kit`` has one client for all tasks;
- its rate-limit check runs ``int()`` over ``retry-after`` and reads the wall clock: ``errors`` reads the
  headers instead;
- its response models fail whole answers that lack one field, and its ``.rest`` holds only a weak reference:
  we call ``arequest`` and read the fields we need.

Measured on 2 cores, Python 3.11, against loopback: ten calls open one connection here and ten with
githubkit's own client; a call costs 0.20 ms of CPU with either; importing this takes 120 ms and 14 MB beyond
httpx.
"""

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager

import httpx
from githubkit import BaseAuthStrategy, GitHubCore, Response
from githubkit.cache import MemCacheStrategy
from githubkit.config import get_config
from githubkit.exception import RequestError, RequestFailed
from pydantic import SecretStr

from runners.github.errors import our_fault
from runners.github.tokens import RenewingTokenSource, TokenSource
from runners.upstream.errors import UpstreamError

_UNAUTHORIZED = 401


class SourceAuth(BaseAuthStrategy, httpx.Auth):
    """Signs each request with what the source says now; asks once for another token after a 401.

    Repeating after a 401 is safe with any method: GitHub did nothing.

    Args:
        source: where tokens come from.
        owner: whose installation to act as; None acts as the App itself.
    """

    def __init__(self, source: TokenSource, owner: str | None) -> None:
        self._source = source
        self._owner = owner

    def get_auth_flow(self, github: "GitHubCore[SourceAuth]") -> httpx.Auth:  # noqa: ARG002 - theirs
        """This object is the flow."""
        return self

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Sets the token, and on a 401 sets another one if the source has one."""
        token = await self._token(request)
        request.headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        answer = yield request
        if answer.status_code == _UNAUTHORIZED:
            renewed = await self._renewed(token)
            if renewed is not None:
                request.headers["Authorization"] = f"Bearer {renewed.get_secret_value()}"
                yield request

    async def _token(self, request: httpx.Request) -> SecretStr:
        with _nothing_happened():
            if self._owner is not None:
                return await self._source.token(self._owner)
            token = await self._source.app_jwt()
        if token is None:
            raise our_fault(
                f"{request.method} {request.url.path} as the App",
                "the App key is not here",
                'set github.credentials = "app" for what only the App itself may read',
            )
        return token

    async def _renewed(self, refused: SecretStr) -> SecretStr | None:
        if self._owner is None or not isinstance(self._source, RenewingTokenSource):
            return None
        with _nothing_happened():
            return await self._source.renew(self._owner, refused)


class Kit(GitHubCore[SourceAuth]):
    """githubkit with one httpx client for every task, on a transport that it does not own.

    Args:
        auth: signs the requests.
        transport: what sends; it is never closed from here.
        api_url: REST base URL.
        timeout: seconds for each of connect, read, write and pool, under the transport's own deadline.
    """

    def __init__(
        self, auth: SourceAuth, transport: httpx.AsyncBaseTransport, *, api_url: str, timeout: float
    ) -> None:
        config = get_config(
            base_url=api_url,
            user_agent="fly-gha",
            follow_redirects=False,
            timeout=timeout,
            trust_env=False,
            async_transport=transport,
            cache_strategy=MemCacheStrategy(),
            http_cache=False,
            auto_retry=False,
        )
        super().__init__(auth, config=config)
        self._shared: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def get_async_client(self) -> AsyncGenerator[httpx.AsyncClient, None]:
        """The one client. It has nothing of its own to close: connections belong to the transport."""
        if self._shared is None:
            # No await comes between the look and the set, so two tasks cannot make two.
            self._shared = httpx.AsyncClient(
                **self._get_client_defaults(), transport=self.config.async_transport
            )
        yield self._shared

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int],
        body: Mapping[str, object] | None,
        headers: Mapping[str, str],
    ) -> httpx.Response:
        """Sends one request and returns the answer, whatever its status, its body read.

        Raises:
            httpx.HTTPError, httpx.InvalidURL: no usable answer.
            UpstreamError: no token could be had; or whatever else the TokenSource raises.
        """
        try:
            answer = await self.arequest(
                method,
                path,
                params=dict(params),
                json=None if body is None else dict(body),
                headers=dict(headers),
            )
        except RequestFailed as failed:
            return failed.response.raw_response
        except RequestError as lost:
            raise lost.exc from None
        return answer.raw_response

    def _check_rate_limit(self, response: Response) -> None:
        """Nothing: every error answer leaves as RequestFailed, and ``errors`` says which is a rate limit."""


@contextmanager
def _nothing_happened() -> Generator[None]:
    """A token that could not be had means that the call it was for has certainly not happened."""
    try:
        yield
    except UpstreamError as error:
        error.answered = True
        raise
