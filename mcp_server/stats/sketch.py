"""Sketch: percentiles of durations that can be added up, each right within one hundredth of itself.

Durations fall into buckets whose borders grow by a constant factor, so that a bucket's middle is within
``RELATIVE_ERROR`` of whatever fell into it. Two sketches of two hours are added bucket by bucket, and what
comes out is the sketch of both hours: nothing is lost by adding.
"""

import math
from collections.abc import Mapping

RELATIVE_ERROR = 0.01
"""Of every percentile between ``SHORTEST_MS`` and the longest bucket, over an hour away."""
SHORTEST_MS = 0.01
"""Shorter durations count as this one: nobody waits for them."""
BUCKETS = 1000
"""Their numbers fit into ten bits; the last one begins after more than 60 minutes."""

_FACTOR = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG = math.log(_FACTOR)
_MIDDLE = 2 / (_FACTOR + 1)


def bucket(ms: float) -> int:
    """The bucket of a duration in milliseconds."""
    if not ms > SHORTEST_MS:
        return 0
    return min(BUCKETS - 1, math.ceil(math.log(ms / SHORTEST_MS) / _LOG)) if ms < math.inf else BUCKETS - 1


def percentile(counts: Mapping[int, int], share: float) -> float | None:
    """The duration in milliseconds that ``share`` of all did not exceed; None when there are none.

    Args:
        counts: how many durations fell into each bucket.
        share: between 0 and 1; the rank is rounded up (nearest rank).
    """
    rank = max(1, math.ceil(share * sum(counts.values())))
    for number in sorted(counts):
        rank -= counts[number]
        if rank <= 0:
            return SHORTEST_MS * _FACTOR**number * (_MIDDLE if number else 1)
    return None
