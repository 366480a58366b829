"""usage_summary: minutes and money over a window, the dearest groups first."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import LIMIT_MAX, Moment
from mcp_server.tools.frame import frame
from mcp_server.tools.output import Output, Part
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.window import Window, began
from mcp_server.tools.words import Brief, Name
from mcp_server.view.paths import path_of
from runners.wire.times import Time, rfc3339
from runners.wire.usage import Usage, UsageRow

NAME = "usage_summary"
Group = Literal["pool", "repository", "workflow", "day"]
TOP_DEFAULT = 10


class Question(FleetArguments):
    """Which usage."""

    window: Window = Field("today", description="today: since midnight UTC. Not used when since is given.")
    since: Moment | None = None
    until: Moment | None = Field(None, description="The end, with its zone; now when absent.")
    by: Annotated[list[Group], Field(min_length=1, max_length=4)] = Field(
        ["pool"], description="What to group by."
    )
    limit: Annotated[int, Field(ge=1, le=LIMIT_MAX)] = Field(
        TOP_DEFAULT, description="Groups to show, the dearest."
    )


class Sum(Part):
    """Minutes and money of one group."""

    pool: Name | None = None
    repository: Brief | None = Field(None, description="Empty: no job ran, as for spares and failed boots.")
    workflow: Brief | None = None
    day: Name | None = Field(None, description="UTC.")
    jobs: int
    busy_minutes: float = Field(description="Machine time during which a job ran.")
    machine_minutes: float = Field(description="Machine time, boot and idle included.")
    usd: float = Field(description="Estimated price of the Machine time.")
    waste_usd: float = Field(description="Of that, the time in which no job ran.")


class Summary(Output):
    """Usage."""

    shortens: ClassVar[str] = "rows"

    since: Time
    until: Time
    total: Sum
    rows: tuple[Sum, ...] = Field(description="Dearest first.")
    groups: int = Field(description="Groups there are.")
    others: Sum | None = Field(None, description="The groups that are not shown, together.")

    def continued(self, rows: int) -> dict[str, Any]:
        """What is not shown goes into one sum."""
        return {"others": _rest(self.total, self.rows[:rows])}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: the bill. What CI costs in dollars and minutes, today, last week "
        "or this month; spending broken down by repository, workflow, pool or day, the most expensive "
        "first, and how much was idle waste. Not for what remains of a budget (pool_capacity)."
    )


async def run(ask: Ask, question: Question) -> Summary:
    """One question to the dispatcher."""
    params: dict[str, str | list[str]] = {"by": list(dict.fromkeys(question.by))}
    params["since"] = question.since or rfc3339(began(question.window, ask.now))
    if question.until is not None:
        params["until"] = question.until
    found = await ask.glass.get(
        path_of("usage"), params, Usage, attempted=f"call {NAME}", min_revision=question.min_revision
    )
    answer = found.answer
    total = _sum(answer.total)
    rows = tuple(_sum(row) for row in answer.rows[: question.limit])
    return Summary(
        **frame(found),
        since=answer.since,
        until=answer.until,
        total=total,
        rows=rows,
        groups=len(answer.rows),
        others=_rest(total, rows) if len(rows) < len(answer.rows) else None,
    )


def _sum(row: UsageRow) -> Sum:
    return Sum(
        pool=row.pool,
        repository=row.repository,
        workflow=row.workflow,
        day=row.day,
        jobs=row.jobs,
        busy_minutes=round(row.busy_minutes, 1),
        machine_minutes=round(row.machine_minutes, 1),
        usd=round(row.usd, 4),
        waste_usd=round(row.waste_usd, 4),
    )


def _rest(total: Sum, shown: tuple[Sum, ...]) -> Sum:
    return Sum(
        jobs=max(0, total.jobs - sum(row.jobs for row in shown)),
        busy_minutes=max(0.0, round(total.busy_minutes - sum(row.busy_minutes for row in shown), 1)),
        machine_minutes=max(0.0, round(total.machine_minutes - sum(row.machine_minutes for row in shown), 1)),
        usd=max(0.0, round(total.usd - sum(row.usd for row in shown), 4)),
        waste_usd=max(0.0, round(total.waste_usd - sum(row.waste_usd for row in shown), 4)),
    )


USAGE_SUMMARY = Tool(
    name=NAME,
    title="Minutes and cost",
    describe=describe,
    scope=Scope.USAGE,
    arguments=Question,
    output=Summary,
    run=run,
    examples=(
        ("What did CI cost today?", {}),
        ("Which repositories cost most this week?", {"window": "7d", "by": ["repository"]}),
        ("Cost by day and pool", {"window": "30d", "by": ["day", "pool"]}),
    ),
)
