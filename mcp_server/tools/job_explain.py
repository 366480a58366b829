"""job_explain: why one job waits, how far it is and when it should start; for a run, of its worst job."""

import math
from typing import Annotated, Any, ClassVar

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import JobCursor
from mcp_server.tools.cursors import after
from mcp_server.tools.frame import frame, unix
from mcp_server.tools.job_parts import JobDetail, JobRow, job_detail, job_row
from mcp_server.tools.job_ref import ID_MAX, TEXT_MAX, JobRef, job_ref
from mcp_server.tools.output import Output
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.view.glass import Deep
from mcp_server.view.paths import path_of
from runners.wire.job import JobAnswer, JobPage, JobView

NAME = "job_explain"
RUN_JOBS_MAX = 500
"""Jobs of a run that are looked at; GitHub's matrix makes 256 at most, and a run may have several."""
_STATES = ("queued", "waiting", "in_progress", "completed")


class Question(FleetArguments):
    """Which job."""

    job: Annotated[int, Field(ge=1, le=ID_MAX)] | Annotated[str, Field(min_length=1, max_length=TEXT_MAX)] = (
        Field(description="A job id, a job URL or a run URL of GitHub, or a fleet://jobs handle.")
    )
    cursor: JobCursor | None = None


class Explained(Output):
    """One job, and of a run the others too."""

    shortens: ClassVar[str] = "run_jobs"

    job: JobDetail = Field(description="The job; of a run its worst.")
    run_jobs: tuple[JobRow, ...] = Field((), description="The run's jobs, worst first; empty for one job.")
    run_jobs_total: int | None = Field(None, description="Jobs of the run.")
    next_cursor: str | None = Field(None, description="Set when jobs of the run are left out.")

    def continued(self, rows: int) -> dict[str, Any]:
        """The next page begins after the last job shown."""
        return {"next_cursor": str(self.run_jobs[rows - 1].id)}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: why is my build stuck? For one job id, job URL or workflow run "
        "URL: the reason it hangs or has not started, its place in line, when it will start and how sure "
        "that is, how long its phases took. Not for lists (queue_list)."
    )


async def run(ask: Ask, question: Question) -> Explained:
    """One deep read; of a run, two."""
    attempted = f"call {NAME}"
    ref = job_ref(question.job, attempted)
    if ref.job_id is None:
        return await _of_run(ask, question, ref, attempted)
    try:
        found = await _read(ask, question.min_revision, ref.job_id, attempted)
    except Refused as refused:
        if refused.rule is not Rule.NOT_FOUND:
            raise
        if ref.run_id is not None:
            raise not_found(attempted) from None
        # A bare number may be the id of a run.
        return await _of_run(ask, question, JobRef(None, ref.job_id, None), attempted)
    if ref.repository is not None and found.answer.job.repository.lower() != ref.repository.lower():
        raise not_found(attempted)
    return Explained(**frame(found), job=job_detail(found.answer.job, found.as_of))


def not_found(attempted: str) -> Refused:
    """No such job, or none that the caller may see."""
    return Refused(
        Rule.NOT_FOUND,
        cause="the fleet has no such job or run, or the caller may not see it; old jobs are forgotten",
        attempted=attempted,
        missing="a job that this fleet serves",
        next_step="take an id from queue_list; a job whose labels no pool serves is unknown here",
    )


async def _of_run(ask: Ask, question: Question, ref: JobRef, attempted: str) -> Explained:
    params: dict[str, str | int] = {"run_id": ref.run_id or 0, "limit": RUN_JOBS_MAX}
    if ref.repository is not None:
        params["repository"] = ref.repository
    page = await ask.glass.get(
        path_of("jobs"), params, JobPage, attempted=attempted, min_revision=question.min_revision
    )
    if not page.answer.jobs:
        raise not_found(attempted)
    worst_first = sorted(page.answer.jobs, key=_badness)
    found = await _read(ask, page.revision, worst_first[0].id, attempted)
    rows = tuple(job_row(job, page.as_of, state=True) for job in worst_first)
    return Explained(
        **frame(page, found),
        job=job_detail(found.answer.job, found.as_of),
        run_jobs=tuple(after(rows, question.cursor, lambda row: str(row.id), attempted)),
        run_jobs_total=len(rows),
    )


async def _read(ask: Ask, min_revision: int | None, job_id: int, attempted: str) -> Deep[JobAnswer]:
    return await ask.glass.get(
        path_of("jobs", job_id), {}, JobAnswer, attempted=attempted, min_revision=min_revision
    )


def _badness(job: JobView) -> tuple[int, float, int]:
    """Refused and lost first, then queued, the latest expected start first, then by how far it is."""
    if job.refused is not None or job.lost is not None:
        return 0, 0.0, job.id
    rank = _STATES.index(job.state) + 1 if job.state in _STATES else len(_STATES) + 1
    start = None if job.forecast is None else job.forecast.expected_start
    # A start that nobody can tell is worse than any.
    return rank, -math.inf if start is None else -unix(start), job.id


JOB_EXPLAIN = Tool(
    name=NAME,
    title="Why a job waits",
    describe=describe,
    scope=Scope.JOBS,
    arguments=Question,
    output=Explained,
    run=run,
    examples=(
        ("Why does this job wait?", {"job": "https://github.com/acme/api/actions/runs/8123/job/9"}),
        ("What holds this run up?", {"job": "https://github.com/acme/api/actions/runs/8123"}),
        ("When does job 9 start?", {"job": 9}),
    ),
)
