"""The one door through which a simulator sees time.

A model never asks the operating system what time it is: under test, and later in a virtual world, time is
whatever the given clock says. The protocol is structural, so any object with these two methods will do and
the simulator stays free of imports from the product.
"""

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Reads and passes time; every instant is in Unix seconds."""

    def now(self) -> float:
        """Tell the current time in Unix seconds."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed on this clock; at once when zero or less."""
        ...


class WallClock:
    """The clock of the real world, used when the simulators are served."""

    def now(self) -> float:
        """Tell the current time in Unix seconds."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` have passed."""
        await asyncio.sleep(max(0.0, seconds))
