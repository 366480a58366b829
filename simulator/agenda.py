"""What a simulated world has put off until later, in the order it falls due.

A model decides at once and says when the decision takes effect; nothing in it sleeps. The same agenda is
worked off by `run` against a wall clock, by `run_due` in a test that moves its own clock, or under virtual
time, and gives the same order each time.
"""

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Callable

from simulator.clock import Clock


class Agenda:
    """Actions with due times; those due at the same instant run in the order they were entered.

    Args:
        clock: decides what is due.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entered = 0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._changed = asyncio.Event()

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Enter an action that falls due in `seconds` (real seconds: scaling is the model's affair)."""
        self._entered += 1
        heapq.heappush(self._heap, (self._clock.now() + max(0.0, seconds), self._entered, action))
        self._changed.set()

    @property
    def next_due(self) -> float | None:
        """When the next action falls due, in Unix seconds; None when there is nothing to do."""
        return self._heap[0][0] if self._heap else None

    def run_due(self) -> None:
        """Run everything that is due now, including what those actions enter for now."""
        while self._heap and self._heap[0][0] <= self._clock.now():
            _, _, action = heapq.heappop(self._heap)
            action()

    async def run(self) -> None:
        """Work the agenda off for ever; an action that raises ends it, since the world would be wrong."""
        while True:
            self.run_due()
            self._changed.clear()
            due = self.next_due
            if due is None:
                await self._changed.wait()
            else:
                await self._sleep_or_change(due - self._clock.now())

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Work the agenda off while the context is open; a failure is reported to the loop at once."""
        pump = asyncio.ensure_future(self.run())
        pump.add_done_callback(_report_failure)
        try:
            yield
        finally:
            pump.cancel()
            await asyncio.wait([pump])

    async def _sleep_or_change(self, seconds: float) -> None:
        waits = {
            asyncio.ensure_future(self._clock.sleep(seconds)),
            asyncio.ensure_future(self._changed.wait()),
        }
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)


def _report_failure(pump: asyncio.Task[None]) -> None:
    # A world whose time has stopped looks like a fleet that hangs; say at once whose fault it is.
    if not pump.cancelled() and (failure := pump.exception()) is not None:
        pump.get_loop().call_exception_handler(
            {"message": "a simulator's time stopped: an action of its agenda failed", "exception": failure}
        )
