"""Dispatcher: the only client this server has. It asks, once, and says in our own words what came of it."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import isfinite
from typing import TypeVar

import httpx
from httpx_sse import EventSource
from pydantic import SecretStr, ValidationError

from mcp_server.caller import Sight
from mcp_server.settings import StatusSettings
from mcp_server.view import refusals
from mcp_server.view.bounded import BoundedEvents
from mcp_server.view.get_only import PLAIN, GetOnly
from mcp_server.view.glass import Params
from mcp_server.view.narrowing import narrowing
from mcp_server.view.paths import is_safe
from mcp_server.view.skew import Skew
from runners.upstream.breaker import Breaker, BreakerState
from runners.upstream.clock import Clock
from runners.upstream.record import CallRecord
from runners.upstream.transport import LONGEST_BODY, UpstreamTransport
from runners.wire.answer import Answer
from runners.wire.headers import REQUEST_ID_HEADER
from runners.wire.health import Readiness
from runners.wire.token import TokenView

A = TypeVar("A", bound=Answer)

KEY = "dispatcher"
NOW_HEADER = "x-fly-gha-now"
STREAM_PATH = "/v1/status/stream"
READY_PATH = "/readyz"
TOKEN_PATH = "/v1/token"  # noqa: S105 - a path
READY_MAX = 64 * 1024
"""Bytes of what a dispatcher says of itself; what is longer is not it."""

HEARTBEAT_S = 15.0
"""The dispatcher sends something at least this often."""
# Two heartbeats may be late; with half of the third still missing nobody is there any more.
SILENT_BEATS = 2.5

# A server closes idle connections after five seconds; one that it is just closing answers nothing.
_IDLE_S = 3.0
_CONNECTIONS = 64
_STREAMS = 160


def production_transport() -> httpx.AsyncBaseTransport:
    """What really sends: no retry, and no proxy of the environment."""
    limits = httpx.Limits(max_connections=max(_CONNECTIONS, _STREAMS), keepalive_expiry=_IDLE_S)
    return httpx.AsyncHTTPTransport(limits=limits, retries=0, trust_env=False)


@dataclass(frozen=True, slots=True)
class Got:
    """An answer's body, not read yet, and the id that the dispatcher's log has of the exchange."""

    body: bytes
    request_id: str


class Dispatcher:
    """Asks the dispatcher.

    Args:
        settings: its address, the deadline and the breaker's figures.
        token: gives the token to send with each question, or None; so a new one needs no restart.
        clock: times of the breaker, and the skew.
        skew: told of every exchange.
        inner: makes what really sends, once for questions and once for streams.
        silent_s: seconds without a byte after which a stream is dead.
        longest_event: bytes that one event of a stream may have.
        observer: told of every finished question.
    """

    def __init__(
        self,
        settings: StatusSettings,
        token: Callable[[], SecretStr | None],
        clock: Clock,
        skew: Skew,
        *,
        inner: Callable[[], httpx.AsyncBaseTransport] = production_transport,
        silent_s: float = HEARTBEAT_S * SILENT_BEATS,
        longest_event: int = LONGEST_BODY,
        observer: Callable[[CallRecord], None] | None = None,
    ) -> None:
        self._settings = settings
        self._token = token
        self._clock = clock
        self.skew = skew
        url = settings.dispatcher_url
        self._breaker = self._new_breaker()
        guarded = UpstreamTransport(
            KEY,
            inner(),
            clock,
            deadline=settings.upstream_timeout_s,
            breaker=lambda: self._breaker,
            key=lambda _request: KEY,
            observer=observer,
        )
        self._http = httpx.AsyncClient(
            transport=GetOnly(guarded, url),
            base_url=url,
            timeout=None,  # noqa: S113 - the transport's own deadline covers the whole exchange
            trust_env=False,
        )
        # Probes and streams go round the breaker: they are what finds out that the dispatcher is back.
        patience = httpx.Timeout(settings.upstream_timeout_s, read=silent_s)
        self._streams = httpx.AsyncClient(
            transport=GetOnly(BoundedEvents(inner(), longest_event), url),
            base_url=url,
            timeout=patience,
            trust_env=False,
        )

    async def get(self, path: str, params: Params, sight: Sight, *, call_id: str, attempted: str) -> Got:
        """Ask once.

        Args:
            path: under ``/v1/``.
            params: the query.
            sight: what may be shown.
            call_id: sent as ``X-Request-Id``; "" lets the dispatcher choose.
            attempted: what the call is to do, for refusals.

        Raises:
            Refused: NOT_FOUND, ARGUMENT_INVALID, BREAKER_OPEN, or one of DISPATCHER_*.
        """
        if not is_safe(path):
            raise refusals.unusable(attempted)
        headers = self._headers(sight, attempted)
        if call_id:
            headers[REQUEST_ID_HEADER] = call_id
        query = {
            name: value if isinstance(value, str | int) else list(value) for name, value in params.items()
        }
        sent_at = self._clock.now()
        try:
            answer = await self._http.get(path, params=query, headers=headers)
        except httpx.TransportError as error:
            raise refusals.of_failure(error, attempted, self._clock.now()) from error
        self._compare_clocks(answer, sent_at)
        if answer.status_code != httpx.codes.OK:
            raise refusals.of_status(answer, attempted, self._clock.now())
        return Got(answer.content, _request_id(answer))

    @asynccontextmanager
    async def stream(
        self, sight: Sight, last_event_id: int | None, attempted: str
    ) -> AsyncIterator[EventSource]:
        """An open event stream.

        Args:
            sight: what may be shown.
            last_event_id: the revision of the view there is, or None.
            attempted: for refusals.

        Raises:
            Refused: the dispatcher did not open it.
            httpx.TransportError: it could not be reached, or the stream broke.
        """
        headers = {
            **self._headers(sight, attempted),
            "Accept": "text/event-stream",
            "Cache-Control": "no-store",
        }
        if last_event_id is not None:
            headers["Last-Event-ID"] = str(last_event_id)
        sent_at = self._clock.now()
        async with self._streams.stream("GET", STREAM_PATH, headers=headers) as answer:
            self._compare_clocks(answer, sent_at)
            if answer.status_code != httpx.codes.OK:
                raise refusals.of_status(answer, attempted, self._clock.now())
            yield EventSource(answer)

    async def readiness(self) -> Readiness:
        """What the dispatcher says of itself; bound the time by cancelling.

        Raises:
            Refused: it does not answer.
        """
        attempted = "ask whether the dispatcher is ready"
        answers = (httpx.codes.OK, httpx.codes.SERVICE_UNAVAILABLE)
        return await self._probe(READY_PATH, PLAIN, Readiness, answers, attempted)

    async def own_token(self) -> TokenView:
        """What the token of this server may do; bound the time by cancelling.

        Raises:
            Refused: the dispatcher does not say.
        """
        attempted = "ask what the token of this server may do"
        headers = self._headers(Sight(), attempted)
        return await self._probe(TOKEN_PATH, headers, TokenView, (httpx.codes.OK,), attempted)

    async def _probe(
        self, path: str, headers: Mapping[str, str], model: type[A], answers: tuple[int, ...], attempted: str
    ) -> A:
        """One small question that goes round the breaker."""
        sent_at = self._clock.now()
        try:
            async with self._streams.stream("GET", path, headers=headers) as answer:
                self._compare_clocks(answer, sent_at)
                if answer.status_code not in answers:
                    raise refusals.of_status(answer, attempted, self._clock.now())
                body = await _beginning(answer, READY_MAX)
        except httpx.TransportError as error:
            raise refusals.of_failure(error, attempted, self._clock.now()) from error
        try:
            return model.read(body)
        except ValidationError as error:
            raise refusals.unusable(attempted) from error

    @property
    def breaker(self) -> BreakerState:
        """What the next question would meet."""
        return self._breaker.state(self._clock.now())

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()
        await self._streams.aclose()

    def _headers(self, sight: Sight, attempted: str) -> dict[str, str]:
        token = self._token()
        text = "" if token is None else token.get_secret_value()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise refusals.no_token(attempted)
        try:
            limits = narrowing(sight)
        except ValueError as error:
            raise refusals.not_sendable(attempted) from error
        return {"Authorization": f"Bearer {text}", **PLAIN, **limits}

    def _compare_clocks(self, answer: httpx.Response, sent_at: float) -> None:
        try:
            theirs = float(answer.headers.get(NOW_HEADER, "nan"))
        except ValueError:
            return
        if isfinite(theirs):
            self.skew.answered(theirs, sent_at, self._clock.now())

    def _new_breaker(self) -> Breaker:
        figures = self._settings
        return Breaker(
            errors=figures.breaker_errors,
            window=figures.breaker_window_s,
            open_for=figures.breaker_open_s,
            trials=figures.breaker_trials,
        )


async def _beginning(answer: httpx.Response, size: int) -> bytes:
    """The body, or so much of it that it cannot be what was asked for."""
    body = bytearray()
    async for chunk in answer.aiter_bytes():
        body += chunk
        if len(body) > size:
            break
    return bytes(body[: size + 1])


def _request_id(answer: httpx.Response) -> str:
    """As echoed, if it is one: it goes into our audit records."""
    text = str(answer.headers.get(REQUEST_ID_HEADER, ""))
    return text if text.isascii() and text.isprintable() and len(text) <= 64 else ""  # noqa: PLR2004 - the header's own bound
