"""Window: the stretches of time up to now that a tool can be asked about by name."""

from typing import Literal

from mcp_server.settings import DAY_S

Window = Literal["today", "24h", "7d", "30d"]
_DAYS = {"24h": 1, "7d": 7, "30d": 30}


def began(window: Window, now: float) -> float:
    """Unix seconds at which the window begins: ``today`` at midnight UTC."""
    return now // DAY_S * DAY_S if window == "today" else now - _DAYS[window] * DAY_S
