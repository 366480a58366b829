"""fleet_overview: can I expect a runner soon, what is wrong, which pools are in trouble."""

from typing import Any, ClassVar, Literal

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.settings import StatusSettings
from mcp_server.tools.cursors import after
from mcp_server.tools.frame import frame, seconds_between
from mcp_server.tools.output import Output, Part
from mcp_server.tools.pools import HANDLE, STATE_WORDS, PoolState, free_now, judged
from mcp_server.tools.problems import Problem, plan_is_late, problems_of
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.words import Name, Word
from runners.wire.pool import PoolView
from runners.wire.status import FleetStatus

NAME = "fleet_overview"
Expect = Literal["soon", "some_pools", "wait", "no", "unknown"]
_GRAVITY: tuple[PoolState, ...] = ("paused", "blocked", "drained", "full", "slowed", "open")


class Question(FleetArguments):
    """Nothing, or from which pool on."""

    cursor: str | None = Field(None, max_length=64, description="next_cursor of the answer before.")


class PoolLine(Part):
    """One pool in one line."""

    name: Name
    state: PoolState
    reason: Word | None = Field(None, description="Why it is not open.")
    room: int = Field(description="Machines its cap still allows.")
    free: int = Field(description="Idle runners and spares.")
    queued: int
    oldest_wait_s: float | None = None


class Overview(Output):
    """The whole fleet in one short answer."""

    shortens: ClassVar[str] = "pools"

    expect: Expect = Field(
        description=(
            "A runner for a new job: soon in every pool; some_pools only; wait for running jobs to end; no, "
            "not until something changes; unknown, since the view or the plan is too old."
        )
    )
    queued: int = Field(description="Jobs that wait for a runner.")
    in_progress: int
    awaiting_approval: int
    oldest_wait_s: float | None = None
    machines: int = Field(description="Live, of the pools you may see.")
    max_machines: int
    budget_left_usd: float | None = None
    problems: tuple[Problem, ...] = Field((), description="Gravest first; empty: nothing is wrong.")
    pools: tuple[PoolLine, ...] = Field(description=f"Those in trouble first. {STATE_WORDS}")
    pools_total: int
    next_cursor: str | None = Field(None, description="Set when pools are left out.")
    handle: str = Field(HANDLE, description="Deep read of a pool.")

    def continued(self, rows: int) -> dict[str, Any]:
        """The next page begins after the last pool shown."""
        return {"next_cursor": self.pools[rows - 1].name}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: fleet-wide health at a glance. Is CI healthy or slow today, is "
        "everything OK, is anything broken, paused, blocked or degraded, how busy are we overall, which "
        "pools are in trouble, can I expect a runner soon? The status summary to ask first. Not for "
        "details of one pool (pool_capacity)."
    )


async def run(ask: Ask, question: Question) -> Overview:
    """From the view in memory; nothing is asked of the dispatcher."""
    attempted = f"call {NAME}"
    seen = await ask.glass.status(min_revision=question.min_revision, attempted=attempted)
    status = seen.status
    lines = sorted(
        (_line(pool, status) for pool in status.pools), key=lambda line: _GRAVITY.index(line.state)
    )
    known = not seen.stale and not plan_is_late(status, ask.settings.stale_after_s)
    return Overview(
        **frame(seen),
        expect=_expect([line.state for line in lines], known=known),
        queued=status.queue.queued,
        in_progress=status.queue.in_progress,
        awaiting_approval=status.queue.waiting,
        oldest_wait_s=seconds_between(status.queue.oldest_queued_at, status.as_of),
        machines=sum(status.machines.values()),
        max_machines=status.max_machines,
        budget_left_usd=status.budget.left_usd,
        problems=problems_of(status, ask.settings.stale_after_s, stale=seen.stale),
        pools=tuple(after(lines, question.cursor, lambda line: line.name, attempted)),
        pools_total=len(lines),
    )


def _line(pool: PoolView, status: FleetStatus) -> PoolLine:
    state, reason = judged(pool, status)
    return PoolLine(
        name=pool.name,
        state=state,
        reason=reason,
        room=pool.room,
        free=free_now(pool),
        queued=pool.queue.queued,
        oldest_wait_s=seconds_between(pool.queue.oldest_queued_at, status.as_of),
    )


def _expect(states: list[PoolState], *, known: bool) -> Expect:
    if not known:
        return "unknown"
    serving = [state for state in states if state != "drained"]
    takes = [state in ("open", "slowed") for state in serving]
    if takes and all(takes):
        return "soon"
    if any(takes):
        return "some_pools"
    return "wait" if "full" in serving else "no"


FLEET_OVERVIEW = Tool(
    name=NAME,
    title="The fleet at a glance",
    describe=describe,
    scope=Scope.CAPACITY,
    arguments=Question,
    output=Overview,
    run=run,
    examples=(("Can I expect a runner soon?", {}),),
)
