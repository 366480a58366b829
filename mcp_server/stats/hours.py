"""Hours: the figures of every hour, by project, caller and tool, and what of them is asked for.

Every call counts in four tallies: its caller's with its tool, its caller's, its tool's, and all. So a
question adds up tallies of the same kind over time, and never over callers or tools.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mcp_server.stats.failing import Failing
from mcp_server.stats.tally import Tally, thawed

ALL = ""
"""In a mark: every caller, every tool."""
HOURS_PER_DAY = 24
# With every call so many tallies of an hour that is over are frozen: never all of them at once.
_FROZEN_PER_CALL = 8


class Mark(NamedTuple):
    """What a tally is of.

    Attributes:
        project: "" for callers whom nobody knows.
        caller: their id; ``ALL`` for every one of the project.
        tool: its name; ``ALL`` for every one.
    """

    project: str
    caller: str
    tool: str


@dataclass(slots=True)
class Span:
    """The figures of an hour or a day. What is frozen is bytes."""

    tallies: dict[Mark, Tally | bytes] = field(default_factory=dict)
    failing: Failing = field(default_factory=Failing)

    def living(self, mark: Mark) -> Tally:
        """The tally of ``mark``, to be changed."""
        found = self.tallies.get(mark)
        if isinstance(found, Tally):
            return found
        tally = Tally() if found is None else thawed(found)
        self.tallies[mark] = tally
        return tally

    def merge(self, other: "Span") -> None:
        """Add another span's figures; the result is frozen."""
        for mark, theirs in other.tallies.items():
            ours = self.tallies.get(mark)
            if ours is None:
                self.tallies[mark] = theirs
                continue
            both = Tally()
            both.add(ours)
            both.add(theirs)
            self.tallies[mark] = both.frozen()
        both_failing = Failing()
        both_failing.add_all((self.failing, other.failing))
        self.failing = both_failing.kept()

    def settled(self) -> "Span":
        """A copy that will not change: every tally frozen, of the failures those worth keeping."""
        tallies: dict[Mark, Tally | bytes] = {
            mark: tally.frozen() if isinstance(tally, Tally) else tally
            for mark, tally in self.tallies.items()
        }
        return Span(tallies, self.failing.kept())


class Hours:
    """Spans by hour, numbered since 1970, to which calls are added as they come."""

    def __init__(self) -> None:
        self.spans: dict[int, Span] = {}
        self._cooling: list[tuple[Span, Mark]] = []
        self._newest = 0

    def living(self, hour: int, marks: Sequence[Mark]) -> tuple[Failing, list[Tally]]:
        """The failures and the tallies of an hour, to be changed at once: later they may be frozen."""
        self._freeze_some()
        span = self.spans.get(hour)
        if span is None:
            span = self._begin(hour)
        elif hour < self._newest:
            # A call that began in the hour before.
            self._cooling.extend((span, mark) for mark in marks)
        return span.failing, [span.living(mark) for mark in marks]

    def _begin(self, hour: int) -> Span:
        span = self.spans[hour] = Span()
        before = self.spans.get(self._newest)
        if hour > self._newest:
            self._newest = hour
            if before is not None:
                self._cooling.extend((before, mark) for mark in before.tallies)
        return span

    def _freeze_some(self) -> None:
        for _ in range(min(_FROZEN_PER_CALL, len(self._cooling))):
            span, mark = self._cooling.pop()
            tally = span.tallies[mark]
            if isinstance(tally, Tally):
                span.tallies[mark] = tally.frozen()

    def settled(self) -> dict[int, Span]:
        """Every hour as it will stay."""
        return {hour: span.settled() for hour, span in self.spans.items()}


def by_day(hours: dict[int, Span]) -> dict[int, Span]:
    """Settled hours added up to days, numbered since 1970; settled, too."""
    days: dict[int, dict[Mark, Tally]] = {}
    failing: dict[int, Failing] = {}
    for hour, span in hours.items():
        day = hour // HOURS_PER_DAY
        sums = days.setdefault(day, {})
        for mark, tally in span.tallies.items():
            sums.setdefault(mark, Tally()).add(tally)
        failing.setdefault(day, Failing()).add_all([span.failing])
    return {
        day: Span({mark: tally.frozen() for mark, tally in sums.items()}, failing[day].kept())
        for day, sums in days.items()
    }


def added(spans: Iterable[Span], wanted: Callable[[Mark], bool]) -> dict[Mark, Tally]:
    """The tallies of the wanted marks, each summed over the spans."""
    sums: dict[Mark, Tally | None] = {}
    for span in spans:
        for mark, tally in span.tallies.items():
            if mark not in sums:
                sums[mark] = Tally() if wanted(mark) else None
            found = sums[mark]
            if found is not None:
                found.add(tally)
    return {mark: tally for mark, tally in sums.items() if tally is not None}
