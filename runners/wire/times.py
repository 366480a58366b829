"""The one conversion between Unix seconds, used everywhere inside, and RFC 3339, shown on the wire."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

# Milliseconds: phases are shorter than a second, and more digits help nobody.
Time = Annotated[
    str,
    Field(
        pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$",
        description="RFC 3339, UTC, milliseconds.",
        examples=["2026-11-20T12:34:56.789Z"],
    ),
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = 253_402_300_799.0  # 9999-12-31T23:59:59Z, the last second RFC 3339 can write


def rfc3339(unix: float) -> str:
    """Unix seconds as RFC 3339 in UTC with milliseconds; before 1970 or after 9999 the nearest that is."""
    bounded = min(max(unix, 0.0), _LAST)
    # Whole milliseconds first: a float of seconds cannot hold them, and isoformat cuts instead of rounding.
    moment = _EPOCH + timedelta(milliseconds=round(bounded * 1000))
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def maybe_rfc3339(unix: float | None) -> str | None:
    """Like ``rfc3339``, and None for a time that is not known."""
    return None if unix is None else rfc3339(unix)


def unix_seconds(text: str) -> float:
    """An RFC 3339 time, or a plain number, as Unix seconds.

    Raises:
        ValueError: ``text`` is neither, or names no zone.
    """
    try:
        seconds = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(f"{text!r} names no time zone; end it with Z") from None
        return moment.timestamp()
    if not 0 <= seconds <= _LAST:
        raise ValueError(f"{text!r} is not a time between 1970 and 9999")
    return seconds
