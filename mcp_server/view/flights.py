"""Flights: identical questions that are under way at once are asked once, and whoever leaves stops none."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

from mcp_server.view import refusals

T = TypeVar("T")


class Flights(Generic[T]):
    """Questions under way, by key."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[T]] = {}

    @property
    def busy(self) -> bool:
        """Whether any is."""
        return bool(self._under_way)

    async def join(
        self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, T]], enough: Callable[[T], bool]
    ) -> T:
        """The answer to the question ``key``, asked by whoever came first.

        Args:
            key: equal for identical questions.
            ask: asks it.
            enough: whether the answer to a question that was asked before this caller came will do. If not,
                the next one is waited for, which was then asked after.

        Raises:
            Refused: ``settle`` ended it; or whatever else ``ask`` raises, to all who wait.
        """
        earlier = self._under_way.get(key)
        if earlier is not None:
            found = await _landing(earlier)
            if enough(found):
                return found
        flight = self._under_way.get(key)
        if flight is None or flight is earlier:
            flight = self._start(key, ask)
        return await _landing(flight)

    async def settle(self) -> None:
        """End every question that is under way."""
        flights = set(self._under_way.values())
        for flight in flights:
            flight.cancel()
        if flights:
            await asyncio.wait(flights)

    def _start(self, key: Hashable, ask: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Task[T]:
        flight = asyncio.create_task(ask())
        self._under_way[key] = flight

        def landed(task: asyncio.Task[T]) -> None:
            if self._under_way.get(key) is task:
                del self._under_way[key]
            # Everyone who waited may have left; asyncio must not call the failure forgotten.
            if not task.cancelled():
                task.exception()

        flight.add_done_callback(landed)
        return flight


async def _landing(flight: asyncio.Task[T]) -> T:
    try:
        return await asyncio.shield(flight)
    except asyncio.CancelledError:
        me = asyncio.current_task()
        if not flight.cancelled() or (me is not None and me.cancelling()):
            raise
        # Not the caller was cancelled, but what it waited for: that must not look alike.
        raise refusals.shutting_down() from None
