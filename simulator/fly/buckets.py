"""Fly's rate limits: one token bucket per action and identifier (as Fly documents them).

"1 req/s per action, burst 3, scoped per Machine ID or App ID; Get Machine 5/s burst 10." The algorithm is not
documented; a token bucket that starts full and refills evenly is an assumption.
"""

from dataclasses import dataclass

from simulator.clock import Clock


@dataclass(frozen=True, slots=True)
class Limit:
    """How fast a bucket refills (tokens per second) and how many it holds."""

    per_second: float
    burst: float


DEFAULT = Limit(1.0, 3.0)
GET_MACHINE = Limit(5.0, 10.0)
# Unix seconds as floats resolve a microsecond at best: a caller exactly on time must not be a hair early.
HAIR = 1e-4


class Buckets:
    """All buckets of the simulated API.

    Args:
        clock: refills them.
        scale: a world that runs `scale` times faster allows that many more requests per real second, and
            the same multiple at once, so that a caller's rhythm stays what it is in the real world.
    """

    def __init__(self, clock: Clock, scale: float) -> None:
        self._clock = clock
        self._scale = scale
        self._levels: dict[tuple[str, str], tuple[float, float]] = {}

    def take(self, action: str, identifier: str) -> bool:
        """Take one token for this action on this app or Machine; False when the bucket is empty."""
        limit = GET_MACHINE if action == "get" else DEFAULT
        burst = limit.burst * max(1.0, self._scale)
        now = self._clock.now()
        level, since = self._levels.get((action, identifier), (burst, now))
        level = min(burst, level + (now - since) * limit.per_second * self._scale)
        allowed = level >= 1.0 - HAIR
        self._levels[action, identifier] = (level - 1.0 if allowed else level, now)
        return allowed
