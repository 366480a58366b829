"""server_stats: how this server itself was used and how it did, from recorded durations."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mcp_server.caller import Caller, Scope
from mcp_server.settings import StatusSettings
from mcp_server.stats.summary import WINDOWS, FailingCall, Row
from mcp_server.tools.frame import frame
from mcp_server.tools.output import Output, Part
from mcp_server.tools.tool import Arguments, Ask, Tool
from mcp_server.tools.words import Brief, Name, Word
from runners.wire.times import Time, rfc3339

NAME = "server_stats"
CALLERS_MAX = 5
STORMS_MAX = 5


class Question(Arguments):
    """Which calls."""

    window: Literal["24h", "7d", "30d"] = "24h"
    tool: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")] | None = Field(
        None, description="Only calls of this tool."
    )
    caller: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$")] | None = Field(
        None, description="Only calls of this caller, by id."
    )


class Figures(Part):
    """The calls of one tool, of one caller, or of all. A figure that is zero is left out."""

    tool: Name | None = None
    caller: Name | None = None
    name: Brief | None = Field(None, description="What a person calls the caller.")
    calls: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    errors: dict[str, int] | None = Field(None, description="By class.")
    schema_failures: int | None = Field(None, description="Wrong tool or arguments.")
    timeouts: int | None = None
    rejected: dict[str, int] | None = Field(None, description="For rate, permission, authentication.")
    repeats: int | None = Field(None, description="Failing calls that had just failed the same way.")
    bytes_sum: int
    bytes_max: int
    tokens_sum: int = Field(description="Estimated.")
    tokens_max: int


class Storm(Part):
    """One and the same call that failed again and again: one incident with a count."""

    tool: Name
    caller: Name
    rule: Word
    count: int
    first_at: Time
    last_at: Time


class Stats(Output):
    """This server's own calls; of the fleet nothing but what revision memory has."""

    shortens: ClassVar[str] = "tools"

    since: Time
    until: Time
    total: Figures
    tools: tuple[Figures, ...] = Field(description="Most calls first.")
    callers: tuple[Figures, ...] = Field(description="Those with most calls, of your project at most.")
    callers_total: int
    repeated_failures: tuple[Storm, ...] = Field((), description="Largest first.")
    unknown_callers: int | None = Field(None, description="Calls with no valid token.")
    percentile_error: float = Field(description="Percentiles are right within this share of themselves.")

    def continued(self, rows: int) -> dict[str, Any]:  # noqa: ARG002 - ask for one tool instead
        """Nothing: the total covers every tool."""
        return {}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: this MCP server's own tool-call statistics. How fast calls are "
        "answered (latency percentiles), how many failed validation, timed out or were rate limited, "
        "which call keeps failing again and again, which agent calls most, tokens and bytes returned. Not "
        "for the fleet (fleet_overview)."
    )


async def run(ask: Ask, question: Question) -> Stats:
    """From records alone; works without a dispatcher."""
    found = ask.stats.summary(
        WINDOWS[question.window],
        project=ask.caller.project,
        caller=_whose(ask.caller, question.caller),
        tool=question.tool,
    )
    storms = [each for each in found.failing if ask.caller.sight.everything or each.caller == ask.caller.id]
    seen = ask.glass.glimpse()
    return Stats(
        **({"stale": False} if seen is None else frame(seen)),
        since=rfc3339(found.since),
        until=rfc3339(found.until),
        total=_figures(found.total),
        tools=tuple(_figures(row, tool=True) for row in found.by_tool),
        callers=tuple(_figures(row, caller=True) for row in found.by_caller[:CALLERS_MAX]),
        callers_total=len(found.by_caller),
        repeated_failures=tuple(_storm(each) for each in storms[:STORMS_MAX]),
        unknown_callers=(found.unknown_callers or None) if ask.caller.sight.everything else None,
        percentile_error=found.relative_error,
    )


def _whose(caller: Caller, asked: str | None) -> str | None:
    """Whoever sees a part of the fleet sees their own calls alone: others' would tell of the rest."""
    return asked if caller.sight.everything else caller.id


def _figures(row: Row, *, tool: bool = False, caller: bool = False) -> Figures:
    rejected = {
        "rate": row.rejected_rate,
        "permission": row.rejected_permission,
        "authentication": row.rejected_authentication,
    }
    return Figures(
        tool=_plain(row.key) if tool else None,
        caller=_plain(row.key) if caller else None,
        name=row.name or None,
        calls=row.calls,
        p50_ms=_ms(row.p50_ms),
        p95_ms=_ms(row.p95_ms),
        p99_ms=_ms(row.p99_ms),
        errors={each.value: count for each, count in row.errors.items()} or None,
        schema_failures=row.schema_failures or None,
        timeouts=row.timeouts or None,
        rejected={kind: count for kind, count in rejected.items() if count} or None,
        repeats=row.repeats or None,
        bytes_sum=row.bytes_sum,
        bytes_max=row.bytes_max,
        tokens_sum=row.tokens_sum,
        tokens_max=row.tokens_max,
    )


def _storm(failing: FailingCall) -> Storm:
    return Storm(
        tool=_plain(failing.tool),
        caller=_plain(failing.caller),
        rule=failing.rule,
        count=failing.count,
        first_at=rfc3339(failing.first_at),
        last_at=rfc3339(failing.last_at),
    )


def _plain(key: str) -> str:
    """``(other)`` and ``(unknown)`` stand for several; in an answer they are words like the rest."""
    return key.strip("()")


def _ms(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


SERVER_STATS = Tool(
    name=NAME,
    title="This server's own calls",
    describe=describe,
    scope=Scope.STATS,
    arguments=Question,
    output=Stats,
    run=run,
    examples=(
        ("How did this server do in the last day?", {}),
        ("Which calls fail again and again?", {"window": "7d"}),
    ),
)
