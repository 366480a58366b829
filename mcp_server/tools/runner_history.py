"""runner_history: one runner's life: its phases, its Machine, how it ended and why."""

from typing import Annotated, Any, ClassVar

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import StatusSettings
from mcp_server.tools.event_parts import EventRow, event_row
from mcp_server.tools.frame import frame, seconds_between
from mcp_server.tools.job_parts import Phase, phases
from mcp_server.tools.output import Output, Part
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.words import Name, Quoted, Word
from mcp_server.view.paths import path_of
from runners.wire.runner import BootView, MachineView, RunnerHistory
from runners.wire.times import Time

NAME = "runner_history"
PREFIX = "fleet://runners/"
LINES_SHOWN = 10


class Question(FleetArguments):
    """Which runner."""

    runner: Annotated[
        str,
        Field(
            max_length=216,
            pattern=r"^(fleet://runners/)?[A-Za-z0-9][A-Za-z0-9._-]{0,199}$",
            description="A runner's name, as job_explain and event_search show it, or its handle.",
        ),
    ]


class MachinePart(Part):
    """The Fly Machine it ran on."""

    name: Name
    fly_id: Name | None = Field(None, description="Absent: not known.")
    app: Name
    region: Name
    machine_class: Name
    image: Name
    state: Word
    reason: Word | None = None
    gone_at: Time | None = None


class BootPart(Part):
    """The start of that Machine it is bound to."""

    seq: int
    launched_at: Time
    started_at: Time | None = None
    ended_at: Time | None = None
    exit_code: int | None = None


class History(Output):
    """One runner."""

    shortens: ClassVar[str] = "events"

    name: Name
    handle: str
    pool: Name
    scope: Name
    registration: Word
    state: Word
    state_s: float | None = Field(None, description="Seconds in that state.")
    reason: Word | None = Field(None, description="Why it is in that state.")
    job_id: int | None = Field(None, description="The job it was seen to run.")
    exit_reason: Word | None = Field(None, description="How its Machine's main process ended.")
    phases: tuple[Phase, ...]
    machine: MachinePart | None = Field(None, description="Absent: forgotten.")
    boot: BootPart | None = None
    last_lines: tuple[Quoted, ...] | None = Field(
        None, description="What its Machine said last before a bad end."
    )
    events: tuple[EventRow, ...] = Field(description="Its own and its Machine's, newest first.")
    events_total: int = Field(description="More than are shown: event_search with target has the rest.")

    def continued(self, rows: int) -> dict[str, Any]:  # noqa: ARG002 - another tool goes on from here
        """Nothing: the count says how many there are."""
        return {}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: the life story of a single runner by name. Which Fly Machine, "
        "app and region it had, how it booted, registered and came online, its exit code, how and why it "
        "ended, died or was retired. Not for failures of many (incident_list)."
    )


async def run(ask: Ask, question: Question) -> History:
    """One deep read."""
    attempted = f"call {NAME}"
    wanted = question.runner.removeprefix(PREFIX)
    try:
        found = await ask.glass.get(
            path_of("runners", wanted),
            {},
            RunnerHistory,
            attempted=attempted,
            min_revision=question.min_revision,
        )
    except Refused as refused:
        if refused.rule is Rule.NOT_FOUND:
            raise _not_found(attempted) from None
        raise
    answer = found.answer
    runner = answer.runner
    return History(
        **frame(found),
        name=runner.name,
        handle=PREFIX + runner.name,
        pool=runner.pool,
        scope=runner.scope,
        registration=runner.registration,
        state=runner.state,
        state_s=seconds_between(runner.state_at, found.as_of),
        reason=runner.reason,
        job_id=runner.job_id,
        exit_reason=answer.exit_reason,
        phases=phases(answer.phases),
        machine=None if answer.machine is None else _machine(answer.machine),
        boot=None if answer.boot is None else _boot(answer.boot),
        last_lines=answer.last_lines[-LINES_SHOWN:] or None,
        events=tuple(event_row(each) for each in reversed(answer.events)),
        events_total=len(answer.events),
    )


def _machine(machine: MachineView) -> MachinePart:
    return MachinePart(
        name=machine.name,
        fly_id=machine.fly_id,
        app=machine.app,
        region=machine.region,
        machine_class=machine.machine_class,
        image=machine.image,
        state=machine.state,
        reason=machine.reason,
        gone_at=machine.gone_at,
    )


def _boot(boot: BootView) -> BootPart:
    return BootPart(
        seq=boot.seq,
        launched_at=boot.launched_at,
        started_at=boot.started_at,
        ended_at=boot.ended_at,
        exit_code=boot.exit_code,
    )


def _not_found(attempted: str) -> Refused:
    return Refused(
        Rule.NOT_FOUND,
        cause="the fleet has no such runner, or the caller may not see it; old runners are forgotten",
        attempted=attempted,
        missing="the name of a runner",
        next_step="take a runner's name from job_explain or event_search",
    )


RUNNER_HISTORY = Tool(
    name=NAME,
    title="One runner's life",
    describe=describe,
    scope=Scope.JOBS,
    arguments=Question,
    output=History,
    run=run,
    examples=(("Why did this runner die?", {"runner": "test-gha-medium-1a2b3c-1"}),),
)
