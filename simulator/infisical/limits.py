"""Calls per minute, counted as Infisical Cloud does: per client address, in fixed windows of one minute.

All clients of a simulator share one loopback address, so there is one count per kind of call.
"""

import math
from collections.abc import Mapping

from simulator.clock import Clock

WINDOW_S = 60.0


class Windows:
    """One counter per kind of call.

    Args:
        calls_per_minute: the limit of each kind; a kind that is not named has none.
        scale: limits are multiplied by it.
    """

    def __init__(self, clock: Clock, calls_per_minute: Mapping[str, int], scale: float) -> None:
        self._clock = clock
        self._limits = {kind: limit * scale for kind, limit in calls_per_minute.items()}
        self._windows: dict[str, tuple[float, int]] = {}

    def spend(self, kind: str) -> int:
        """Count one call; returns 0 when it is within the limit, else the whole seconds to wait."""
        if kind not in self._limits:
            return 0
        now = self._clock.now()
        began, calls = self._windows.get(kind, (now, 0))
        if now >= began + WINDOW_S:
            began, calls = now, 0
        if calls >= self._limits[kind]:
            return math.ceil(began + WINDOW_S - now)
        self._windows[kind] = (began, calls + 1)
        return 0
