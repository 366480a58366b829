"""Clock: the only way to learn the time or to wait.

Nothing else reads the wall clock, so the whole fleet can run on virtual time and no test sleeps for luck.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Time as the code sees it."""

    def now(self) -> float:
        """Return the time in Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after so many seconds of this clock; zero or less only yields to other tasks."""
        ...


class SystemClock:
    """The machine's own clock, wired in by the composition root alone."""

    def now(self) -> float:
        """Return the wall clock in Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Sleep on the running event loop."""
        await asyncio.sleep(max(0.0, seconds))
