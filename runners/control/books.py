"""Books: what the day has cost so far and how fast the pools are; read anew only now and then.

Both rest on many rows and change slowly, while the planner may run many times a second in a burst.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from runners.model.snapshot import Pace
from runners.store import pace, usage
from runners.store.engine import Store

DAY = 86_400.0
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Page:
    """One reading of the books.

    Attributes:
        at: when it was read.
        spent: by pool, US dollars since 00:00 UTC.
        pace: by pool.
    """

    at: float
    spent: Mapping[str, float] = field(default_factory=dict)
    pace: Mapping[str, Pace] = field(default_factory=dict)


class Books:
    """Reads spending and pace at most once per ``period``.

    Args:
        store: where the rows are.
        prices: by pool, US dollars per hour of one started Machine.
        period: seconds a reading is kept.
    """

    def __init__(self, store: Store, prices: Mapping[str, float], period: float) -> None:
        self._store = store
        self._prices = prices
        self._period = period
        self._page: Page | None = None

    async def at(self, now: float) -> Page:
        """The books as of ``now``, at most ``period`` seconds old."""
        if self._page is None or now - self._page.at >= self._period:
            self._page = await self._store.run(lambda conn: self._read(conn, now))
        return self._page

    def _read(self, conn: Connection, now: float) -> Page:
        spent: dict[str, float] = {}
        for span in usage.busy_spans(conn, now - now % DAY, now):
            hours = (span.ended_at - span.started_at) / HOUR
            spent[span.pool] = spent.get(span.pool, 0.0) + hours * self._prices.get(span.pool, 0.0)
        return Page(now, spent, {pool: pace.of_pool(conn, pool) for pool in self._prices})
