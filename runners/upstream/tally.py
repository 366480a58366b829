"""CallTally: how many calls each upstream was sent, how they ended and how long they took, since the start.

An observer for ``UpstreamTransport``. Its memory is bounded by the operations there are and the apps and
owners that are configured.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from runners.upstream.record import CallRecord

BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds; the longest is the deadline of a call."""


@dataclass
class Durations:
    """A histogram's content: calls by the first bound that they did not exceed, and their sum."""

    counts: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one call."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.seconds += seconds


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of one kind.

    Attributes:
        key: whose breaker and limits they used: ``fly:APP``, ``github:OWNER``.
        operation: method and path, names replaced.
        outcome: ``ok``, ``rate_limited``, ``lost`` (no answer), or an error class.
    """

    key: str
    operation: str
    outcome: str


class CallTally:
    """Counts; one for all transports of a process."""

    def __init__(self) -> None:
        self._calls: Counter[Calls] = Counter()
        self._durations: dict[str, Durations] = {}

    def __call__(self, record: CallRecord) -> None:
        """Count one finished call."""
        self._calls[Calls(record.key, f"{record.method} {record.path}", _outcome(record))] += 1
        self._durations.setdefault(record.upstream, Durations()).add(record.seconds)

    @property
    def calls(self) -> Mapping[Calls, int]:
        """How many there were of each kind."""
        return dict(self._calls)

    @property
    def durations(self) -> Mapping[str, Durations]:
        """By upstream, how long its calls took."""
        return self._durations


def _outcome(record: CallRecord) -> str:
    if record.limited_until is not None:
        return "rate_limited"
    if record.status is None:
        return "lost"
    return "ok" if record.error_class is None else str(record.error_class)
