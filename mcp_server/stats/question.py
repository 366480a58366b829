"""Question: which tallies a question for statistics is about, and the summary that they come to."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mcp_server.stats.failing import Failing
from mcp_server.stats.hours import ALL, Mark, Span, added
from mcp_server.stats.sketch import RELATIVE_ERROR
from mcp_server.stats.summary import FailingCall, Row, Summary
from mcp_server.stats.tally import Tally

FAILING_TOLD = 20
"""Storms that a summary tells, the largest first."""
_NOBODY = Mark("", ALL, ALL)


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        project: whose callers.
        caller: the only one to count; None for all.
        tool: the only one to count; None for all.
    """

    project: str
    caller: str | None
    tool: str | None

    @property
    def total(self) -> Mark:
        """The tally of everything that is asked for."""
        return Mark(self.project, self.caller or ALL, self.tool or ALL)

    def of_tool(self, mark: Mark) -> bool:
        """Whether a tally is a row of the answer's tools."""
        total = self.total
        return (
            mark.tool != ALL
            and (mark.project, mark.caller) == (self.project, total.caller)
            and self.tool in (None, mark.tool)
        )

    def of_caller(self, mark: Mark) -> bool:
        """Whether a tally is a row of the answer's callers."""
        total = self.total
        return (
            mark.caller != ALL
            and (mark.project, mark.tool) == (self.project, total.tool)
            and self.caller in (None, mark.caller)
        )

    def takes(self, mark: Mark) -> bool:
        """Whether a tally is needed at all."""
        return mark in (self.total, _NOBODY) or self.of_tool(mark) or self.of_caller(mark)


def answered(
    question: Question, spans: Sequence[Span], since: float, until: float, name: Callable[[str], str]
) -> Summary:
    """The answer.

    Args:
        question: what is asked.
        spans: the figures of the window.
        since: where it begins, Unix seconds.
        until: where it ends.
        name: what a person calls a caller of the project.
    """
    sums = added(spans, question.takes)
    by_tool = [tally.row(mark.tool) for mark, tally in sums.items() if question.of_tool(mark)]
    by_caller = [
        tally.row(mark.caller, name(mark.caller)) for mark, tally in sums.items() if question.of_caller(mark)
    ]
    return Summary(
        since=since,
        until=until,
        relative_error=RELATIVE_ERROR,
        total=sums.get(question.total, Tally()).row(""),
        by_tool=_most_calls(by_tool),
        by_caller=_most_calls(by_caller),
        failing=_storms(question, spans),
        unknown_callers=sums[_NOBODY].calls if _NOBODY in sums else 0,
    )


def _most_calls(rows: Iterable[Row]) -> tuple[Row, ...]:
    return tuple(sorted(rows, key=lambda row: (-row.calls, row.key)))


def _storms(question: Question, spans: Iterable[Span]) -> tuple[FailingCall, ...]:
    """What failed more than once in the window, the largest first."""
    window = Failing()
    window.add_all(span.failing for span in spans)
    storms = [
        FailingCall(failure.caller, failure.tool, failure.rule, told.count, told.first_at, told.last_at)
        for failure, told in window.table.items()
        if told.count > 1
        and failure.project in ("", question.project)
        and question.caller in (None, failure.caller)
        and question.tool in (None, failure.tool)
    ]
    storms.sort(key=lambda each: (-each.count, -each.last_at, each.caller, each.tool, each.rule))
    return tuple(storms[:FAILING_TOLD])
