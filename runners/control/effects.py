"""Effects: the calls that a plan sends out, running while the next pass already plans.

A pass does not wait for its calls: a create without an answer would hold up every other job for the length
of its deadline. What is out is in the rows (the intent was committed first), so the next pass counts it.
"""

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger()


class Effects:
    """Runs effects as tasks and forgets them when they end; an effect records its own outcome."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, name: str, effect: Coroutine[None, None, None]) -> None:
        """Run one effect in the background."""
        task = asyncio.create_task(_guarded(name, effect), name=name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settled(self) -> None:
        """Wait until nothing is out, including what running effects start."""
        while self._running:
            await asyncio.wait(set(self._running))

    async def stop(self, seconds: float) -> None:
        """Give what is out that long, then abandon it: its rows say what is not known."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=seconds)
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    @property
    def running(self) -> int:
        """How many are out."""
        return len(self._running)


async def _guarded(name: str, effect: Coroutine[None, None, None]) -> None:
    """An unexpected failure is a defect: it is said loudly, and the rows stay as they are."""
    try:
        await effect
    except Exception:
        # One effect's defect must not end the others.
        log.exception("effect.failed", effect=name)
