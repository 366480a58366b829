"""Books: what the day has cost so far and how fast the pools are; read anew only now and then.

Both rest on many rows and change slowly, while the planner may run many times a second in a burst.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from runners.control.cost import DAY, Prices, today
from runners.model.snapshot import Pace
from runners.store import pace
from runners.store.engine import Store


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
        prices: what Machines cost.
        pools: the pools whose pace is read.
        period: seconds a reading is kept; never over midnight UTC, when the day's budgets begin anew.
    """

    def __init__(self, store: Store, prices: Prices, pools: Iterable[str], period: float) -> None:
        self._store = store
        self._prices = prices
        self._pools = tuple(pools)
        self._period = period
        self._page: Page | None = None

    async def at(self, now: float) -> Page:
        """The books as of ``now``, at most ``period`` seconds old."""
        page = self._page
        if page is None or now - page.at >= self._period or now // DAY != page.at // DAY:
            page = self._page = await self._store.run(lambda conn: self._read(conn, now))
        return page

    def _read(self, conn: Connection, now: float) -> Page:
        spent = {pool: cost.total for pool, cost in today(conn, now, self._prices).items()}
        return Page(now, spent, {pool: pace.of_pool(conn, pool) for pool in self._pools})
