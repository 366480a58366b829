"""Loop: a period and a wake-up that carries no data; one pass at a time; the period is the retry.

A failing pass ends nothing: it is counted, remembered for health, and the next one comes with the period.
A pass reads the whole world anew, so it does not matter which wake-up it answers, or how many it missed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from runners.upstream.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LoopHealth:
    """What is known of one loop.

    Attributes:
        name: the loop's name.
        period: seconds between passes when nothing wakes it.
        passes: passes that ended well.
        failures: passes that failed.
        last_pass_at: when a pass last ended well, Unix seconds.
        last_error: what the last failed pass said, or "" when the last pass was good.
        seconds: how long the last pass took.
    """

    name: str
    period: float
    passes: int = 0
    failures: int = 0
    last_pass_at: float | None = None
    last_error: str = ""
    seconds: float = 0.0


class Loop:
    """Runs ``one_pass`` again and again.

    Args:
        name: in health, logs and metrics.
        period: seconds.
        one_pass: does the work once; returns the Unix time by which it wants to run again, or None.
        clock: tells the time; waiting happens on the event loop.
    """

    def __init__(
        self, name: str, period: float, one_pass: Callable[[], Awaitable[float | None]], clock: Clock
    ) -> None:
        self.health = LoopHealth(name, period)
        self._one_pass = one_pass
        self._clock = clock
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Run a pass now, or right after the one that is running."""
        self._woken.set()

    async def run(self) -> None:
        """Pass after pass until cancelled."""
        while True:
            self._woken.clear()
            again_at = await self.once()
            wait = self.health.period
            if again_at is not None:
                wait = min(wait, max(0.0, again_at - self._clock.now()))
            await self._rest(wait)

    async def once(self) -> float | None:
        """One pass; a failure is remembered, never raised."""
        began = self._clock.now()
        try:
            again_at = await self._one_pass()
        except Exception as error:  # noqa: BLE001 - a loop survives whatever its pass meets
            self._failed(error, self._clock.now() - began)
            return None
        ended = self._clock.now()
        old = self.health
        self.health = LoopHealth(
            old.name, old.period, old.passes + 1, old.failures, ended, "", seconds=ended - began
        )
        return again_at

    def _failed(self, error: Exception, seconds: float) -> None:
        old = self.health
        text = f"{type(error).__name__}: {error}"
        self.health = LoopHealth(
            old.name, old.period, old.passes, old.failures + 1, old.last_pass_at, text, seconds
        )
        log.warning("loop.pass_failed", loop=old.name, error=text, failures=self.health.failures)

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return
