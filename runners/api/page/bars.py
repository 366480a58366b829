"""Bars: the geometry of the page's small pictures, in whole units; the templates draw them as SVG.

Every picture stands next to its figures in text, so nothing is told by length or colour alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from runners.wire.pool import PoolView

WIDTH = 1000
HEIGHT = 32
_COMING = ("requested", "launching", "booting", "claimed")


@dataclass(frozen=True, slots=True)
class Segment:
    """One part of a pool's bar, in units of WIDTH."""

    kind: str
    count: int
    x: int
    width: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How long one phase took.

    Attributes:
        heights: of each bucket, in units of HEIGHT; one that holds anything is at least 1 high.
        half: half of them took at most this many seconds; None beyond the last bucket.
        most: nine in ten took at most this.
    """

    phase: str
    count: int
    heights: tuple[int, ...]
    half: float | None
    most: float | None


def segments(pool: PoolView) -> tuple[Segment, ...]:
    """What a pool's Machines are for, against its cap; ``other`` are those of jobs the viewer may not see."""
    counts = {
        "busy": pool.runners["busy"],
        "idle": pool.runners["idle"],
        "coming": sum(pool.runners[state] for state in _COMING),
        "retiring": pool.runners["retiring"],
        "ready": pool.spares.ready,
        "stopped": pool.spares.stopped,
    }
    counts["other"] = max(0, pool.live_machines - sum(counts.values()))
    whole = max(pool.max_machines, sum(counts.values()), 1)
    found, before = [], 0
    for kind, count in counts.items():
        if count:
            begin, end = _scaled(before, whole), _scaled(before + count, whole)
            found.append(Segment(kind, count, begin, max(1, end - begin)))
            before += count
    return tuple(found)


def share(part: float, whole: float) -> int:
    """A meter's length in units of WIDTH; full when the whole is nothing."""
    return WIDTH if whole <= 0 else min(WIDTH, max(0, round(part / whole * WIDTH)))


def histograms(
    metrics: Iterable[Metric], phases: Sequence[str], bounds: Sequence[float]
) -> tuple[Histogram, ...]:
    """A Histogram for each of ``phases``, over all pools of the metric.

    Args:
        metrics: of prometheus_client, with the labels ``phase`` and ``le``.
        phases: in the order in which they are shown.
        bounds: the buckets' upper ends, seconds; one without an end follows.
    """
    below: Mapping[str, dict[float, float]] = defaultdict(lambda: defaultdict(float))
    for metric in metrics:
        for sample in metric.samples:
            if sample.name.endswith("_bucket"):
                below[sample.labels["phase"]][float(sample.labels["le"])] += sample.value
    ends = (*bounds, float("inf"))
    return tuple(_histogram(phase, [int(below[phase][end]) for end in ends], ends) for phase in phases)


def _histogram(phase: str, below: Sequence[int], ends: Sequence[float]) -> Histogram:
    total = below[-1]
    each = [count - before for count, before in zip(below, (0, *below[:-1]), strict=True)]
    highest = max(*each, 1)
    heights = tuple(0 if not count else max(1, round(count / highest * HEIGHT)) for count in each)
    return Histogram(phase, total, heights, _at(0.5, total, below, ends), _at(0.9, total, below, ends))


def _at(part: float, total: int, below: Sequence[int], ends: Sequence[float]) -> float | None:
    """The upper end of the bucket in which that part is reached."""
    found = next((end for count, end in zip(below, ends, strict=True) if count >= part * total), ends[-1])
    return None if not total or found == ends[-1] else found


def _scaled(count: int, whole: int) -> int:
    return round(count / whole * WIDTH)
