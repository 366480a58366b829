"""Stats: this server's own calls over the last 30 days, from the durations in its audit records.

Every durable record is counted once, when the log says so; after a restart the same figures come from the
audit files. The last day is held by the hour, the days before by the UTC day, so that a day, a week and a
month are sums. Nothing grows with the number of calls: at most ``CALLERS_MAX`` callers are told apart, each
with the tools that this server has, and what one caller did with one tool in an hour (25 of them) or a day
(31 of them) takes about 200 bytes and 4 for each distinct duration (buckets two hundredths apart).
"""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence

from mcp_server.audit.record import Record
from mcp_server.audit.segments import Segment, utc_day
from mcp_server.stats.counting import Counting
from mcp_server.stats.history import DAYS_KEPT, HOURS_BACK, History
from mcp_server.stats.hours import HOURS_PER_DAY, Hours, Span
from mcp_server.stats.kept import Figures, beside
from mcp_server.stats.question import Question, answered
from mcp_server.stats.rebuilding import figures_of, hours_so_far, keep, settled
from mcp_server.stats.summary import DAY_S, HOUR_S, WINDOWS, Summary
from runners.upstream.clock import Clock


class Stats:
    """A StatsSource, and an Observer of the audit log. Belongs to the event loop of that log.

    Args:
        clock: where windows end.
        tools: names of the tools that this server has.
        resources: its URI templates.
    """

    def __init__(self, clock: Clock, *, tools: Iterable[str], resources: Iterable[str]) -> None:
        self._clock = clock
        self._counting = Counting(tools, resources)
        self._history = History()
        # The hours of closed files whose figures are being written down, and those of the open file.
        self._closing: list[Hours] = []
        self._open = Hours()

    def rebuild(self, older: Sequence[Segment], now: float) -> None:
        """Read what earlier processes recorded; long work only for files whose figures were not kept.

        Args:
            older: every audit file, oldest first; the last one will be gone on with.
            now: Unix seconds.

        Raises:
            OSError: a file cannot be read.
        """
        now_hour = _hour(now)
        for segment in older[:-1]:
            if segment.day > utc_day(now) - DAYS_KEPT:
                figures = figures_of(segment.path, self._counting, now_hour - HOURS_BACK)
                self._history.adopt(figures.days, figures.hours, now_hour)
        if older:
            self._open = hours_so_far(older[-1].path, self._counting)

    def observe(self, record: Record) -> None:
        """Count a record."""
        self._counting.count(record.entry, self._open)

    def closed(self, segment: Segment, size: int, head: str) -> Awaitable[None]:
        """Begin with a new file; what is given back keeps the figures of the closed one."""
        hours, self._open = self._open, Hours()
        self._closing.append(hours)
        return self._settle(hours, segment, size, head)

    def removed(self, segment: Segment) -> None:
        """The kept figures of a file go with it."""
        beside(segment.path).unlink(missing_ok=True)

    def summary(self, window_s: float, *, project: str, caller: str | None, tool: str | None) -> Summary:
        """See StatsSource."""
        now = self._clock.now()
        since, spans = self._window(now, min(window_s, max(WINDOWS.values())))

        def name(who: str) -> str:
            return self._counting.name(project, who)

        return answered(Question(project, caller, tool), spans, since, now, name)

    def _window(self, now: float, window_s: float) -> tuple[float, list[Span]]:
        """Where a window begins and what is in it: up to a day by the hour, more by the day."""
        if window_s <= DAY_S:
            hour = _hour(now - window_s)
            spans = self._history.hours_since(hour)
        else:
            day = utc_day(now - window_s)
            hour = day * HOURS_PER_DAY
            spans = self._history.days_since(day)
        for hours in (*self._closing, self._open):
            spans.extend(span for number, span in hours.spans.items() if number >= hour)
        return hour * HOUR_S, spans

    async def _settle(self, hours: Hours, segment: Segment, size: int, head: str) -> None:
        names = dict(self._counting.names)

        def work() -> Figures:
            figures = settled(hours, names, size, head)
            keep(segment.path, figures)
            return figures

        figures = await asyncio.to_thread(work)
        self._closing.remove(hours)
        self._history.adopt(figures.days, figures.hours, _hour(self._clock.now()))


def _hour(at: float) -> int:
    """Hours since 1970."""
    return int(at // HOUR_S)
