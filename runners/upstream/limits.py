"""When a rate-limited upstream wants to be called again, read from its answer.

GitHub documents the order (retry-after, then the reset of an exhausted budget, else at least
a minute); Fly documents no header at all, so it falls to the same default.
"""

import email.utils
import math
from datetime import UTC

import httpx

TOO_MANY = 429
FORBIDDEN = 403

DEFAULT_PAUSE_S = 60.0
"""GitHub asks for at least a minute when its answer names no time."""

LONGEST_PAUSE_S = 3900.0
"""GitHub's longest window is an hour; a longer wish is a broken clock or a broken header, not a limit."""


def rate_limited_until(
    status: int, headers: httpx.Headers, body: bytes, *, now: float, pause: float = DEFAULT_PAUSE_S
) -> float | None:
    """Return the Unix seconds before which calling again is pointless, or None when the answer is no limit.

    Args:
        status: the answer's HTTP status.
        headers: the answer's headers.
        body: the answer's body as it came, still encoded if the headers say so.
        now: Unix seconds; what relative waits are counted from.
        pause: seconds to wait when the answer names no time.
    """
    if not _is_rate_limit(status, headers, body):
        return None
    until = retry_after(headers.get("retry-after"), now)
    if until is None:
        until = _budget_reset(headers, now)
    if until is None:
        until = now + pause
    return min(until, now + LONGEST_PAUSE_S)


def quota_left(headers: httpx.Headers) -> float | None:
    """Return the share of the hourly quota that GitHub's x-ratelimit headers say is left, or None."""
    remaining, limit = (
        _number(headers.get("x-ratelimit-remaining")),
        _number(headers.get("x-ratelimit-limit")),
    )
    if remaining is None or not limit or headers.get("x-ratelimit-resource", "core") != "core":
        return None
    return min(1.0, remaining / limit)


def retry_after(value: str | None, now: float) -> float | None:
    """Return the Unix seconds that a Retry-After header names (seconds or a date), never before ``now``."""
    seconds = _number(value)
    if value is None or seconds is not None:
        return None if seconds is None else now + seconds
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(now, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())


def _is_rate_limit(status: int, headers: httpx.Headers, body: bytes) -> bool:
    if status != FORBIDDEN:
        return status == TOO_MANY
    if "retry-after" in headers or str(headers.get("x-ratelimit-remaining")) == "0":
        return True
    # A secondary limit may come without any header, which githubkit misses: only its text tells.
    return b"rate limit" in _decoded(headers, body).lower()


def _budget_reset(headers: httpx.Headers, now: float) -> float | None:
    # With budget left, the reset belongs to another limit than the one that refused.
    if str(headers.get("x-ratelimit-remaining", "0")) != "0":
        return None
    reset = _number(headers.get("x-ratelimit-reset"))
    return reset if reset is not None and reset > now else None


def _decoded(headers: httpx.Headers, body: bytes) -> bytes:
    try:
        return httpx.Response(FORBIDDEN, headers=headers, stream=httpx.ByteStream(body)).read()
    except httpx.DecodingError:
        return b""


def _number(value: str | None) -> float | None:
    try:
        number = float(value) if value is not None else math.nan
    except ValueError:
        return None
    return number if math.isfinite(number) and number >= 0 else None
