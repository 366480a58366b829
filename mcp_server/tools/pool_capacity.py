"""pool_capacity: one pool's supply, caps, spares and money, and when its queue should start."""

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.refused import Refused
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import PoolName
from mcp_server.tools.frame import frame
from mcp_server.tools.job_parts import Expected, expected
from mcp_server.tools.output import Output
from mcp_server.tools.pool_parts import PoolDetail, pool_detail
from mcp_server.tools.pools import find_pool
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.tools.words import Word
from mcp_server.view.paths import path_of
from runners.wire.job import ForecastView, JobPage

NAME = "pool_capacity"
LOOKED_AT = 100
"""Queued jobs whose forecasts are read; with more of them the last start is not told."""


class Question(FleetArguments):
    """Which pool."""

    pool: PoolName


class Capacity(Output):
    """One pool."""

    pool: PoolDetail
    first_start: Expected | None = Field(None, description="Of the next queued job. Absent: empty queue.")
    last_start: Expected | None = Field(
        None, description="Of the last queued job: a job queued now starts after it. Absent: not known."
    )
    forecast_missing: Word | None = Field(
        None, description="Rule that kept the queue from being read: the starts are not known."
    )


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: figures of one named pool. Its cap and how many Machines are in "
        "use, idle runners, warm spares, free slots, whether it is drained, what limits it, what is left "
        "of its daily budget, and when its capacity frees up. Not for comparing all pools "
        "(fleet_overview)."
    )


async def run(ask: Ask, question: Question) -> Capacity:
    """The pool from the view, its queue's forecasts from the dispatcher."""
    attempted = f"call {NAME}"
    seen = await ask.glass.status(min_revision=question.min_revision, attempted=attempted)
    pool = find_pool(seen.status, question.pool, attempted)
    detail = pool_detail(pool, seen.status)
    if pool.queue.queued == 0:
        return Capacity(**frame(seen), pool=detail)
    params: dict[str, str | int] = {
        "pool": pool.name,
        "state": "queued",
        "order": "oldest",
        "limit": LOOKED_AT,
    }
    try:
        page = await ask.glass.get(
            path_of("jobs"), params, JobPage, attempted=attempted, min_revision=seen.revision
        )
    except Refused as refused:
        # The view alone still answers most of the question, and says what it lacks.
        return Capacity(**frame(seen), pool=detail, forecast_missing=refused.rule.value)
    forecasts = sorted((job.forecast for job in page.answer.jobs if job.forecast is not None), key=_order)
    whole = page.answer.next_cursor is None
    return Capacity(
        **frame(seen, page),
        pool=detail,
        first_start=expected(forecasts[0], seen.as_of) if forecasts else None,
        last_start=expected(forecasts[-1], seen.as_of) if forecasts and whole else None,
    )


def _order(forecast: ForecastView) -> str:
    """By expected start; one that nobody can tell comes last."""
    return forecast.expected_start or "~"


POOL_CAPACITY = Tool(
    name=NAME,
    title="One pool's capacity",
    describe=describe,
    scope=Scope.CAPACITY,
    arguments=Question,
    output=Capacity,
    run=run,
    examples=(
        ("How much room has gha-medium?", {"pool": "gha-medium"}),
        ("When does capacity for runs-on: fly-gha-large free up?", {"pool": "fly-gha-large"}),
    ),
)
