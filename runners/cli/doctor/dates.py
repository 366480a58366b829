"""Dates: a transport that notes what time the other side's ``Date`` header says, beside ours."""

import email.utils
from datetime import UTC

import httpx

from runners.upstream.clock import Clock


class Dates(httpx.AsyncBaseTransport):
    """Passes everything on.

    Args:
        inner: what really sends.
        clock: ours.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self._inner = inner
        self._clock = clock
        self.offset: float | None = None
        """Seconds by which the other clock is ahead, of the quickest answer so far; to half a second."""
        self._quickest = float("inf")

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send, and compare clocks; the header tells whole seconds, so half of one is added."""
        sent = self._clock.now()
        answer = await self._inner.handle_async_request(request)
        took = self._clock.now() - sent
        theirs = _seconds(answer.headers.get("date"))
        if theirs is not None and took < self._quickest:
            self._quickest = took
            self.offset = theirs + 0.5 - (sent + took / 2)
        return answer

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


def _seconds(header: str | None) -> float | None:
    try:
        when = email.utils.parsedate_to_datetime(header or "")
    except ValueError:
        return None
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
