"""What needs memory from scrape to scrape: the phase histogram, and the event log as counters.

Both follow the event log from where the last scrape left off, and begin at the start of this dispatcher: a
restart is a counter reset at zero, as Prometheus expects.
"""

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client import Histogram
from prometheus_client.core import Metric
from sqlalchemy import Connection

from runners.api.job_views import phase_seconds
from runners.api.metric_names import PREFIX, SERIES
from runners.store import events
from runners.store.event_counts import OPERATOR, counted, seq_before
from runners.store.phase_times import Gone, gone_after

BUCKETS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 21, 34, 60, 120, 300, 900, 3600, 21_600)
PHASE_SECONDS = f"{PREFIX}phase_seconds"
BATCH = 500
# Never more than this in one scrape; the next one goes on from there.
BATCHES_MAX = 20


class Phases:
    """The phase histogram of one app.

    Args:
        since: Unix seconds; Runners gone before are not counted.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._seq: int | None = None
        known = SERIES["phase_seconds"]
        # Its own registry: prometheus_client's global one would join apps of one process.
        self._histogram = Histogram(PHASE_SECONDS, known.help, known.labels, registry=None, buckets=BUCKETS)

    def catch_up(self, conn: Connection) -> None:
        """Count the Runners that have gone since the last call."""
        if self._seq is None:
            self._seq = seq_before(conn, self._since)
        for _ in range(BATCHES_MAX):
            batch = gone_after(conn, self._seq, BATCH)
            for gone in batch:
                self._count(gone)
            if len(batch) < BATCH:
                break

    def collect(self, pools: frozenset[str]) -> Iterator[Metric]:
        """The histogram, of these pools."""
        for metric in self._histogram.collect():
            metric.samples = [each for each in metric.samples if each.labels.get("pool") in pools]
            yield metric

    def _count(self, gone: Gone) -> None:
        # Two scrapes may have read the same rows at once; whoever is second leaves them alone.
        if self._seq is None or gone.seq <= self._seq:
            return
        self._seq = gone.seq
        for phase, seconds in phase_seconds(gone.times).items():
            if seconds is not None:
                self._histogram.labels(gone.pool, phase).observe(seconds)


class EventCounts:
    """The event log as counters.

    Args:
        since: Unix seconds; events before are not counted.
    """

    def __init__(self, since: float) -> None:
        self._since = since
        self._seq: int | None = None
        self._counts: Counter[tuple[str, str, str]] = Counter()

    @property
    def since(self) -> float:
        """When counting began."""
        return self._since

    @property
    def counts(self) -> Mapping[tuple[str, str, str], int]:
        """By actor, verb and Reason."""
        return self._counts

    def by_operators(self) -> Mapping[str, int]:
        """By verb, what was done or denied to whoever used an API token."""
        found: Counter[str] = Counter()
        for (actor, verb, _), count in self._counts.items():
            if actor == OPERATOR:
                found[verb] += count
        return found

    def catch_up(self, conn: Connection) -> None:
        """Count the events since the last call."""
        if self._seq is None:
            self._seq = seq_before(conn, self._since)
        after, upto = self._seq, events.revision(conn)
        done = counted(conn, after, upto) if upto > after else ()
        if self._seq == after:
            self._seq = upto
            for each in done:
                self._counts[each.actor, each.verb, str(each.reason)] += each.count
