"""Counting: where a record counts, and under which names.

Names in statistics come from here alone: a tool is one that this server has, a resource is its template, and
whatever else somebody sent is ``UNKNOWN``; callers beyond a number are ``OTHER``. So nobody can fill memory,
or an answer, with words of their own.
"""

from collections.abc import Iterable, Mapping

from mcp_server.audit.record import OWN, Entry
from mcp_server.stats.failing import Failure, digest
from mcp_server.stats.hours import ALL, Hours, Mark
from mcp_server.stats.kept import Named
from mcp_server.stats.sketch import bucket
from mcp_server.stats.summary import HOUR_S, OTHER, UNKNOWN

CALLERS_MAX = 500
"""Told apart by name; dozens are usual, and tokens are replaced now and then."""
HOURS_KEPT = 31 * 24 + 1
_MARKS_MAX = 50_000
_CALL_TOOL = "tools/call"
_READ_RESOURCE = "resources/read"


class Counting:
    """Counts entries.

    Args:
        tools: names of the tools that this server has.
        resources: its URI templates, such as ``fleet://jobs/{id}``.
    """

    def __init__(self, tools: Iterable[str], resources: Iterable[str]) -> None:
        self._tools = frozenset(tools)
        self._resources = tuple((each.partition("{")[0], each) for each in resources)
        self.names: dict[tuple[str, str], Named] = {}
        self._marks: dict[tuple[str, str, str], tuple[Mark, ...]] = {}

    def count(self, entry: Entry, hours: Hours) -> None:
        """Add the calls that a durable entry stands for; the log's own remarks are none."""
        if entry.operation.startswith(OWN):
            return
        hour = int(entry.at // HOUR_S)
        tool, caller = self._tool(entry), self._caller(entry, hour)
        marks = self._four(entry.project, caller, tool)
        failing, tallies = hours.living(hour, marks)
        times, repeats, end = max(1, entry.repeats), 0, ""
        if entry.result != "ok":
            end = f"{entry.rule}/{entry.result}"
            failure = Failure(entry.project, caller, tool, entry.rule, digest(entry.arguments))
            repeats = failing.count(failure, times, entry.at)
        duration = bucket(entry.duration_ms) if entry.allowed else None
        for tally in tallies:
            tally.count(times, duration=duration, end=end, size=entry.bytes, tokens=entry.tokens)
            tally.repeats += repeats

    def name(self, project: str, caller: str) -> str:
        """What a person calls a caller; "" when nobody knows."""
        known = self.names.get((project, caller))
        return "" if known is None else known.name

    def learn(self, names: Mapping[tuple[str, str], Named]) -> None:
        """Take over names from earlier records."""
        for pair, named in names.items():
            known = self.names.get(pair)
            if known is None or known.hour <= named.hour:
                self.names[pair] = named

    def _tool(self, entry: Entry) -> str:
        target = entry.target
        if entry.operation == _CALL_TOOL:
            return target if target in self._tools else UNKNOWN
        if entry.operation == _READ_RESOURCE:
            return next((name for start, name in self._resources if target.startswith(start)), UNKNOWN)
        return entry.operation

    def _caller(self, entry: Entry, hour: int) -> str:
        pair = (entry.project, entry.caller)
        known = self.names.get(pair)
        if known is None:
            if len(self.names) >= CALLERS_MAX:
                self._forget(hour)
            if len(self.names) >= CALLERS_MAX:
                return OTHER
        if known is None or known.hour < hour or known.name != entry.caller_name:
            self.names[pair] = Named(entry.caller_name, hour)
        return entry.caller or UNKNOWN

    def _forget(self, hour: int) -> None:
        over = [pair for pair, named in self.names.items() if named.hour < hour - HOURS_KEPT]
        for pair in over:
            del self.names[pair]

    def _four(self, project: str, caller: str, tool: str) -> tuple[Mark, ...]:
        """The four tallies a call counts in; the same objects each time, since many tables hold them."""
        found = self._marks.get((project, caller, tool))
        if found is None:
            if len(self._marks) >= _MARKS_MAX:
                self._marks.clear()
            found = self._marks[project, caller, tool] = (
                Mark(project, caller, tool),
                Mark(project, caller, ALL),
                Mark(project, ALL, tool),
                Mark(project, ALL, ALL),
            )
        return found
