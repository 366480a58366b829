"""queue_list: the jobs that wait for a runner, oldest first."""

from typing import Any, ClassVar

from pydantic import Field

from mcp_server.caller import Scope
from mcp_server.settings import StatusSettings
from mcp_server.tools.asked import LIMIT_DEFAULT, JobCursor, LabelText, Limit, PoolName, Repository
from mcp_server.tools.frame import frame
from mcp_server.tools.job_parts import HANDLE, JobRow, job_row
from mcp_server.tools.output import Output
from mcp_server.tools.pools import find_pool
from mcp_server.tools.tool import Ask, FleetArguments, Tool
from mcp_server.view.paths import path_of
from runners.wire.job import JobPage

NAME = "queue_list"


class Question(FleetArguments):
    """Which queued jobs."""

    repository: Repository | None = None
    pool: PoolName | None = None
    label: LabelText | None = Field(None, description="A runs-on label of the job.")
    limit: Limit = LIMIT_DEFAULT
    cursor: JobCursor | None = None


class Queue(Output):
    """Queued jobs."""

    shortens: ClassVar[str] = "jobs"

    total: int | None = Field(None, description="Queued jobs that match, on all pages.")
    jobs: tuple[JobRow, ...] = Field(description="Longest known first.")
    next_cursor: str | None = Field(None, description="Absent on the last page.")
    handle: str = Field(HANDLE, description="Deep read of a job.")

    def continued(self, rows: int) -> dict[str, Any]:
        """The next page begins after the last job shown."""
        return {"next_cursor": str(self.jobs[rows - 1].id)}


def describe(settings: StatusSettings) -> str:  # noqa: ARG001 - no figure of it is in this description
    """The description."""
    return (
        "fly-gha GitHub Actions runners: the list of queued jobs, oldest first. Who is waiting longest, "
        "how many wait, what is next in line, for a repository, pool or runs-on label, page by page. Not "
        "for one known job (job_explain)."
    )


async def run(ask: Ask, question: Question) -> Queue:
    """One page of the dispatcher's queue."""
    attempted = f"call {NAME}"
    params: dict[str, str | int] = {"state": "queued", "order": "oldest", "limit": question.limit}
    least = question.min_revision
    if question.pool is not None:
        seen = await ask.glass.status(min_revision=question.min_revision, attempted=attempted)
        params["pool"] = find_pool(seen.status, question.pool, attempted).name
        least = seen.revision
    for key in ("repository", "label", "cursor"):
        value = getattr(question, key)
        if value is not None:
            params[key] = value
    page = await ask.glass.get(path_of("jobs"), params, JobPage, attempted=attempted, min_revision=least)
    return Queue(
        **frame(page),
        total=page.answer.total,
        jobs=tuple(job_row(job, page.as_of) for job in page.answer.jobs),
        next_cursor=page.answer.next_cursor,
    )


QUEUE_LIST = Tool(
    name=NAME,
    title="Jobs that wait for a runner",
    describe=describe,
    scope=Scope.JOBS,
    arguments=Question,
    output=Queue,
    run=run,
    examples=(
        ("What is waiting, longest first?", {}),
        ("What of acme/api waits?", {"repository": "acme/api"}),
        ("The first few that wait for fly-gha-large", {"label": "fly-gha-large", "limit": 10}),
    ),
)
