"""Window: the spans of time that tools look back over, by the names that questions use."""

from typing import Literal

from mcp_server.settings import DAY_S

Window = Literal["today", "24h", "7d", "30d"]

_DAYS = {"24h": 1, "7d": 7, "30d": 30}
# A day that has just begun here may not have begun by the dispatcher's clock, and no window begins in future.
_TODAY_AT_LEAST_S = 60.0


def began(window: Window, now: float) -> float:
    """Unix seconds at which the window begins: ``today`` at midnight UTC, and at least a minute ago."""
    if window == "today":
        return min(now // DAY_S * DAY_S, now - _TODAY_AT_LEAST_S)
    return now - _DAYS[window] * DAY_S
