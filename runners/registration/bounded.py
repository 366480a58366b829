"""BoundedEvents: an event that anybody can provoke is written at most once a minute, with a count.

Without this, whoever can reach the webhook could fill the store with refusals.
"""

from collections.abc import Hashable

PERIOD_S = 60.0
# Keys are few by construction; should one be made of a caller's name, the oldest go first.
KEYS_MAX = 1000


class BoundedEvents:
    """Counts what happens between two events of one key."""

    def __init__(self, period: float = PERIOD_S) -> None:
        self._period = period
        self._written: dict[Hashable, tuple[float, int]] = {}

    def worded(self, key: Hashable, now: float, detail: str) -> str | None:
        """The detail to write now, with how many went unwritten since the last one; None for not now."""
        at, unwritten = self._written.get(key, (None, 0))
        if at is not None and now - at < self._period:
            self._written[key] = (at, unwritten + 1)
            return None
        self._written.pop(key, None)
        while len(self._written) >= KEYS_MAX:
            del self._written[next(iter(self._written))]
        self._written[key] = (now, 0)
        return f"{detail} (and {unwritten} more since the last such event)" if unwritten else detail
