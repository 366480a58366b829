"""incident_list: what the fleet itself did wrong or lost lately, one entry for each Reason."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import Moment
from mcp_server.tools.cursors import after
from mcp_server.tools.frame import frame
from mcp_server.tools.output import Output, Part
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.window import Window, began
from mcp_server.tools.words import Brief, Name, Sentence, Word
from mcp_server.view.paths import path_of
from runners.wire.incident import Incident, IncidentPage
from runners.wire.times import Time, rfc3339

NAME = "incident_list"


class Question(FleetArguments):
    """Which window."""

    window: Window = Field(
        "24h", description="Up to now; today: since midnight UTC. Not used when since is given."
    )
    since: Moment | None = None
    until: Moment | None = Field(None, description="The end, with its zone; now when absent.")
    cursor: Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")] | None = Field(
        None, description="next_cursor of the answer before; any row's reason is one."
    )


class IncidentRow(Part):
    """One Reason, however often it happened."""

    reason: Word
    count: int = Field(description="Machines, runners or jobs it happened to.")
    first_at: Time
    last_at: Time
    pools: tuple[Name, ...] = ()
    latest: tuple[Brief, ...] = Field((), description="job/ID, runner/NAME or machine/NAME, latest first.")
    meaning: Sentence
    next_step: Sentence


class Incidents(Output):
    """Incidents."""

    shortens: ClassVar[str] = "incidents"

    since: Time
    until: Time
    total: int = Field(description="Incidents: Reasons, not occurrences.")
    partial: bool | None = Field(None, description="True: the oldest occurrences were not looked through.")
    incidents: tuple[IncidentRow, ...] = Field(description="The one that happened last first.")
    next_cursor: str | None = Field(None, description="Set when incidents are left out.")

    def continued(self, rows: int) -> dict[str, Any]:
        """The next page begins after the last incident shown."""
        return {"next_cursor": self.incidents[rows - 1].reason}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: what went wrong. Failures and losses last night, today or this "
        "week, grouped by cause and counted: crashed or lost Machines, out of memory, launches that "
        "failed for want of capacity, runners that repeatedly never came online, with what to do. Not for "
        "single log lines (event_search)."
    )


async def run(ask: Ask, question: Question) -> Incidents:
    """One question to the dispatcher."""
    attempted = f"call {NAME}"
    params = {"since": question.since or rfc3339(began(question.window, ask.now))}
    if question.until is not None:
        params["until"] = question.until
    found = await ask.glass.get(
        path_of("incidents"), params, IncidentPage, attempted=attempted, min_revision=question.min_revision
    )
    answer = found.answer
    rows = [_row(each) for each in answer.incidents]
    return Incidents(
        **frame(found),
        since=answer.since,
        until=answer.until,
        total=answer.total,
        partial=answer.truncated or None,
        incidents=tuple(after(rows, question.cursor, lambda row: row.reason, attempted)),
    )


def _row(incident: Incident) -> IncidentRow:
    return IncidentRow(
        reason=incident.reason,
        count=incident.count,
        first_at=incident.first_at,
        last_at=incident.last_at,
        pools=incident.pools,
        latest=incident.targets,
        meaning=incident.meaning,
        next_step=incident.next_step,
    )


INCIDENT_LIST = Tool(
    name=NAME,
    title="What went wrong lately",
    describe=describe,
    scope=Scope.AUDIT,
    arguments=Question,
    output=Incidents,
    run=run,
    examples=(
        ("Did the fleet lose anything today?", {"window": "today"}),
        ("What failed this week?", {"window": "7d"}),
    ),
)
