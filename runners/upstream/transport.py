"""UpstreamTransport: the one httpx transport that every client of an upstream is given.

It holds the promises no client should have to remember: one deadline over the whole exchange, body included;
no retry, ever (a repeated mutating call is how a fleet gets two of something); a breaker per key; and a
record of every call. What the answer means is the client's business.
"""

import asyncio
from collections.abc import Callable

import httpx

from runners.upstream.breaker import Breaker, BreakerState, Pass
from runners.upstream.clock import Clock
from runners.upstream.errors import ErrorClass, class_of_status
from runners.upstream.limits import DEFAULT_PAUSE_S, quota_left, rate_limited_until
from runners.upstream.record import CallRecord, path_template

LONGEST_BODY = 64 * 1024 * 1024
"""Bytes of an answer; a list of a thousand Machines with all their events is a tenth of this."""

_SERVER_ERROR = 500
# These say nothing about the upstream: our own pool was full, or our own request was not one.
_OURS = (httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.LocalProtocolError)


class BreakerOpen(httpx.TransportError):
    """The call was not sent: this upstream keeps failing.

    Attributes:
        key: whose breaker it is.
        until: Unix seconds when the next trial is let through, or None while trials are under way.
    """

    def __init__(self, key: str, until: float | None, *, request: httpx.Request) -> None:
        when = f"not before {until:.0f}" if until is not None else "its trials are under way"
        super().__init__(f"{key} keeps failing, the call was not sent ({when})", request=request)
        self.key = key
        self.until = until


class DeadlineExceeded(httpx.TimeoutException):
    """The exchange was not over in time. A mutating call may have happened.

    Attributes:
        deadline: the seconds it had.
    """

    def __init__(self, deadline: float, *, request: httpx.Request) -> None:
        super().__init__(f"no complete answer within {deadline:g} s", request=request)
        self.deadline = deadline


class AnswerTooLarge(httpx.TransportError):
    """The answer was longer than any that this upstream gives."""


class UpstreamTransport(httpx.AsyncBaseTransport):
    """Deadline, breaker and record around another transport.

    Args:
        upstream: its name in records.
        inner: what really sends; closed with this.
        clock: times of breakers, limits and records. The deadline itself runs on the event loop.
        deadline: seconds for one whole exchange.
        breaker: makes a closed breaker for a key seen for the first time.
        key: the key a request belongs to, such as ``fly:app-a``.
        observer: told of every finished call; it must not raise.
        pause: seconds to leave a rate-limited key alone when the answer names no time.
    """

    def __init__(
        self,
        upstream: str,
        inner: httpx.AsyncBaseTransport,
        clock: Clock,
        *,
        deadline: float,
        breaker: Callable[[], Breaker] = Breaker,
        key: Callable[[httpx.Request], str],
        observer: Callable[[CallRecord], None] | None = None,
        pause: float = DEFAULT_PAUSE_S,
    ) -> None:
        self._upstream = upstream
        self._inner = inner
        self._clock = clock
        self._deadline = deadline
        self._new_breaker = breaker
        self._key = key
        self._observer = observer
        self._pause = pause
        self._breakers: dict[str, Breaker] = {}
        self._limited: dict[str, float] = {}
        self._quota: dict[str, float] = {}

    def blocked_until(self) -> dict[str, float]:
        """Return, by key, the Unix seconds until which calls are pointless; keys that are free are absent.

        An open breaker refuses calls until then; a rate limit is only told, since ending a Machine must be
        tried even when starting one must not.
        """
        now = self._clock.now()
        blocked = {key: until for key, until in self._limited.items() if until > now}
        for key, breaker in self._breakers.items():
            if breaker.open_until is not None and breaker.open_until > now:
                blocked[key] = max(breaker.open_until, blocked.get(key, now))
        return dict(sorted(blocked.items()))

    def breakers(self) -> dict[str, BreakerState]:
        """Return, by key that was ever called, what the next call would meet."""
        now = self._clock.now()
        return {key: breaker.state(now) for key, breaker in sorted(self._breakers.items())}

    def quota_left(self, key: str) -> float | None:
        """Return the share of the key's hourly quota that its last answer said is left, 0 to 1, or None."""
        return self._quota.get(key)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send once and read the whole answer.

        Raises:
            BreakerOpen: not sent; the upstream keeps failing.
            DeadlineExceeded: no complete answer in time.
            httpx.TransportError: whatever else the inner transport raises.
        """
        key = self._key(request)
        breaker = self._breakers.get(key)
        if breaker is None:
            breaker = self._breakers[key] = self._new_breaker()
        started_at = self._clock.now()
        leave = breaker.admit(started_at)
        if leave is None:
            raise BreakerOpen(key, breaker.open_until, request=request)
        try:
            answer, body = await self._exchange(request)
        except httpx.TransportError as error:
            self._count_lost(breaker, leave, error)
            self._record(request, key, started_at, error_class=ErrorClass.TRY_LATER)
            raise
        except BaseException:
            breaker.abandoned(leave)
            raise
        if answer.status_code >= _SERVER_ERROR:
            breaker.failed(leave, self._clock.now())
        else:
            breaker.succeeded(leave)
        limited_until = self._note_limit(key, answer, body)
        error_class = class_of_status(answer.status_code) if limited_until is None else ErrorClass.TRY_LATER
        self._record(
            request,
            key,
            started_at,
            error_class=error_class,
            status=answer.status_code,
            limited_until=limited_until,
        )
        return httpx.Response(
            answer.status_code,
            headers=answer.headers,
            stream=httpx.ByteStream(body),
            extensions=answer.extensions,
            request=request,
        )

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()

    async def _exchange(self, request: httpx.Request) -> tuple[httpx.Response, bytes]:
        try:
            async with asyncio.timeout(self._deadline):
                answer = await self._inner.handle_async_request(request)
                try:
                    return answer, await _read(answer, request)
                finally:
                    await answer.aclose()
        except TimeoutError as error:
            raise DeadlineExceeded(self._deadline, request=request) from error

    def _count_lost(self, breaker: Breaker, leave: Pass, error: httpx.TransportError) -> None:
        if isinstance(error, _OURS):
            breaker.abandoned(leave)
        else:
            breaker.failed(leave, self._clock.now())

    def _note_limit(self, key: str, answer: httpx.Response, body: bytes) -> float | None:
        left = quota_left(answer.headers)
        if left is not None:
            self._quota[key] = left
        until = rate_limited_until(
            answer.status_code, answer.headers, body, now=self._clock.now(), pause=self._pause
        )
        if until is not None:
            self._limited[key] = max(until, self._limited.get(key, 0.0))
        return until

    def _record(
        self,
        request: httpx.Request,
        key: str,
        started_at: float,
        *,
        error_class: ErrorClass | None,
        status: int | None = None,
        limited_until: float | None = None,
    ) -> None:
        if self._observer is None:
            return
        self._observer(
            CallRecord(
                upstream=self._upstream,
                key=key,
                method=request.method,
                path=path_template(request.url.path),
                status=status,
                error_class=error_class,
                started_at=started_at,
                seconds=max(0.0, self._clock.now() - started_at),
                limited_until=limited_until,
            )
        )


async def _read(answer: httpx.Response, request: httpx.Request) -> bytes:
    stream = answer.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError(f"the inner transport answered with a {type(stream).__name__}, which is not async")
    chunks: list[bytes] = []
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > LONGEST_BODY:
            raise AnswerTooLarge(f"the answer is longer than {LONGEST_BODY} bytes", request=request)
        chunks.append(chunk)
    return b"".join(chunks)
