"""Prober: looks at everything that health depends on, each within its time, and has it judged.

Whoever can reach the port may ask for health, so questions that come together are one probe, and a result is
kept for a moment: a flood of them is no flood for the dispatcher.
"""

import asyncio
from collections.abc import Awaitable, Callable

from mcp_server.health import DispatcherSign, Health, Signs, TokensSign, ViewSign, judge
from mcp_server.refused import Refused
from runners.upstream.breaker import BreakerState
from runners.upstream.clock import Clock
from runners.wire.health import Readiness
from runners.wire.times import unix_seconds

KEPT_S = 1.0


class Prober:
    """Finds out how this server is.

    Args:
        clock: Unix seconds.
        timeout_s: seconds the dispatcher has to answer.
        readiness: asks the dispatcher how it is; raises Refused when it does not say.
        audit: why nothing can be recorded, or None.
        own_token: what the dispatcher's token may do beyond reading, or None.
        view: the view that would be shown, at a time in Unix seconds.
        breaker: what the next question to the dispatcher would meet, likewise.
        tokens: the token file, likewise; left out where there is none.
    """

    def __init__(
        self,
        *,
        clock: Clock,
        timeout_s: float,
        readiness: Callable[[], Awaitable[Readiness]],
        audit: Callable[[], str | None],
        own_token: Callable[[], Awaitable[str | None]],
        view: Callable[[float], ViewSign],
        breaker: Callable[[float], BreakerState],
        tokens: Callable[[float], TokensSign] | None = None,
    ) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._readiness = readiness
        self._audit = audit
        self._own_token = own_token
        self._view = view
        self._breaker = breaker
        self._tokens = tokens
        self._last: Health | None = None
        self._under_way: asyncio.Task[Health] | None = None

    async def probe(self) -> Health:
        """How this server is, at most a moment ago."""
        last, now = self._last, self._clock.now()
        if last is not None and 0 <= now - last.as_of < KEPT_S:
            return last
        if self._under_way is None:
            self._under_way = asyncio.create_task(self._look())
        # One who hangs up must not take the answer from the others.
        return await asyncio.shield(self._under_way)

    async def _look(self) -> Health:
        try:
            dispatcher = await self._dispatcher()
            strong = None if dispatcher.unreached else await self._strong()
            now = self._clock.now()
            tokens = None if self._tokens is None else self._tokens(now)
            view, breaker = self._view(now), self._breaker(now)
            signs = Signs(self._audit(), tokens, view, dispatcher, breaker, own_token=strong)
            self._last = judge(signs, now)
            return self._last
        finally:
            self._under_way = None

    async def _strong(self) -> str | None:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._own_token()
        except TimeoutError:
            return None

    async def _dispatcher(self) -> DispatcherSign:
        asked_at = self._clock.now()
        asked = asyncio.ensure_future(self._readiness())
        # Waited for, not cancelled and awaited: whatever it does with a cancellation, this answers in time.
        done, _ = await asyncio.wait({asked}, timeout=self._timeout_s)
        if not done:
            asked.add_done_callback(_looked_at)
            asked.cancel()
            return DispatcherSign(f"the dispatcher did not answer within {self._timeout_s:g} s")
        try:
            readiness = asked.result()
        except Refused as refused:
            return DispatcherSign(refused.cause)
        not_ready = tuple(readiness.not_ready) or (() if readiness.ready else ("unknown",))
        return DispatcherSign(None, not_ready, _clock_off(readiness, asked_at, self._clock.now()))


def _clock_off(readiness: Readiness, asked_at: float, answered_at: float) -> float:
    """By how much the dispatcher's clock is surely off: its time was read while it was being asked."""
    try:
        theirs = unix_seconds(readiness.as_of)
    except ValueError:
        return 0.0
    earliest, latest = min(asked_at, answered_at), max(asked_at, answered_at)
    return theirs - latest if theirs > latest else min(0.0, theirs - earliest)


def _looked_at(asked: asyncio.Future[Readiness]) -> None:
    """So that asyncio does not call a late failure forgotten."""
    if not asked.cancelled():
        asked.exception()
