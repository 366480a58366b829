"""Frame: what an answer about the fleet says of itself, and times that an agent without a clock can use."""

from datetime import datetime
from typing import Any

from mcp_server.view.glass import Deep, Seen


def frame(*read: Seen | Deep[Any]) -> dict[str, Any]:
    """What all that was read can claim together, as fields of an Output."""
    return {
        "revision": min(each.revision for each in read),
        "as_of": min(each.as_of for each in read),
        "age_s": round(max(each.age_s for each in read), 1),
        "stale": any(each.stale for each in read),
    }


def unix(moment: str) -> float:
    """A time of the wire as Unix seconds."""
    return datetime.fromisoformat(moment).timestamp()


def seconds_between(earlier: str | None, later: str | None) -> float | None:
    """From one time of the wire to another, never below zero; None when either is not known."""
    if earlier is None or later is None:
        return None
    return max(0.0, round(unix(later) - unix(earlier), 1))
