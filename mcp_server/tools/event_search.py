"""event_search: who did what to what, and why, in the fleet's own audit trail."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import LIMIT_DEFAULT, Limit, Moment, SeqCursor
from mcp_server.tools.event_parts import EventRow, event_row
from mcp_server.tools.frame import frame
from mcp_server.tools.output import Output
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.view.paths import path_of
from runners.wire.event import EventPage

NAME = "event_search"
WordAsked = Annotated[str, Field(max_length=64, pattern=r"^[a-z0-9_]+$")]


class Question(FleetArguments):
    """Which events."""

    actor: Annotated[str, Field(max_length=100, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        None,
        description="Who did it: planner, webhook, claim, hook, observer …, or token:ID for whoever holds "
        "that API token, as operators do.",
    )
    target: Annotated[str, Field(max_length=200, pattern=r"^[\x21-\x7e]+$")] | None = Field(
        None, description="To what: job/ID, runner/NAME, machine/NAME, pool/NAME, or the handle of one."
    )
    verb: WordAsked | None = Field(None, description="What was done: moved, requested, refused, drained …")
    reason: WordAsked | None = Field(None, description="Why: a reason, as other answers spell it.")
    since: Moment | None = None
    until: Moment | None = None
    order: Literal["newest", "oldest"] = "newest"
    limit: Limit = LIMIT_DEFAULT
    cursor: SeqCursor | None = None


class Events(Output):
    """Events."""

    shortens: ClassVar[str] = "events"

    events: tuple[EventRow, ...]
    next_cursor: str | None = Field(None, description="Absent: nothing more now.")

    def continued(self, rows: int) -> dict[str, Any]:
        """The next page begins after the last event shown."""
        return {"next_cursor": str(self.events[rows - 1].seq)}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: the audit log. Who did what and when: which operator drained, "
        "undrained, paused, resumed or scaled, and by whom and why a setting was changed; what the "
        "planner did to a job; searched by actor, target, verb and time between two moments. Not for "
        "grouped failures (incident_list)."
    )


async def run(ask: Ask, question: Question) -> Events:
    """One page of the dispatcher's events."""
    params: dict[str, str | int] = {"order": question.order, "limit": question.limit}
    for key in ("actor", "verb", "reason", "since", "until", "cursor"):
        value = getattr(question, key)
        if value is not None:
            params[key] = value
    if question.target is not None:
        params["target"] = _target(question.target)
    page = await ask.glass.get(
        path_of("events"), params, EventPage, attempted=f"call {NAME}", min_revision=question.min_revision
    )
    return Events(
        **frame(page),
        events=tuple(event_row(each) for each in page.answer.events),
        next_cursor=page.answer.next_cursor,
    )


def _target(text: str) -> str:
    """``fleet://jobs/1`` is the event log's ``job/1``."""
    kind, _, name = text.removeprefix("fleet://").partition("/")
    return f"{kind.removesuffix('s')}/{name}" if text.startswith("fleet://") else text


EVENT_SEARCH = Tool(
    name=NAME,
    title="Search the audit trail",
    describe=describe,
    scope=Scope.AUDIT,
    arguments=Question,
    output=Events,
    run=run,
    examples=(
        ("Who drained gha-medium?", {"target": "pool/gha-medium", "verb": "drained"}),
        ("What happened to this job?", {"target": "job/9", "order": "oldest"}),
        ("What did the planner do since noon?", {"actor": "planner", "since": "2026-11-20T12:00:00Z"}),
    ),
)
