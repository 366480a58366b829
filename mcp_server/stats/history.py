"""History: the figures of all closed audit files, by day for a month and by hour for the last day."""

from collections.abc import Mapping

from mcp_server.stats.hours import HOURS_PER_DAY, Span

DAYS_KEPT = 31
"""30 days back from any moment reach into 31 UTC days."""
HOURS_BACK = 25
"""A day back from any moment reaches into 25 hours."""


class History:
    """Adds up what closed files came to, and forgets what is too old to be asked for."""

    def __init__(self) -> None:
        self._days: dict[int, Span] = {}
        self._hours: dict[int, Span] = {}

    def adopt(self, days: Mapping[int, Span], hours: Mapping[int, Span], now_hour: int) -> None:
        """Add a closed file's settled figures.

        Args:
            days: by day.
            hours: the same by hour.
            now_hour: hours since 1970.
        """
        self.forget(now_hour)
        for day, span in days.items():
            if day > now_hour // HOURS_PER_DAY - DAYS_KEPT:
                _merge(self._days, day, span)
        for hour, span in hours.items():
            if hour > now_hour - HOURS_BACK:
                _merge(self._hours, hour, span)

    def forget(self, now_hour: int) -> None:
        """Drop what is too old."""
        for day in [day for day in self._days if day <= now_hour // HOURS_PER_DAY - DAYS_KEPT]:
            del self._days[day]
        for hour in [hour for hour in self._hours if hour <= now_hour - HOURS_BACK]:
            del self._hours[hour]

    def hours_since(self, hour: int) -> list[Span]:
        """The spans of that hour and later."""
        return [span for number, span in self._hours.items() if number >= hour]

    def days_since(self, day: int) -> list[Span]:
        """The spans of that day and later."""
        return [span for number, span in self._days.items() if number >= day]


def _merge(spans: dict[int, Span], number: int, span: Span) -> None:
    known = spans.get(number)
    if known is None:
        spans[number] = Span(dict(span.tallies), span.failing)
    else:
        known.merge(span)
