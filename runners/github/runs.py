"""Reading runs and jobs: the truth about the queue when a webhook was lost.

GitHub has no list of queued jobs. A run that waits for a runner is ``queued``, or ``in_progress`` when
another of its jobs has started; both are read, then the jobs of each run.
"""

from dataclasses import dataclass

import httpx

from runners.github.calls import Call, Calls
from runners.github.fields import Fields
from runners.github.payload import JobFact, read_rest_job
from runners.github.scope import Scope

# The statuses of runs that may hold a job which waits for a runner.
OPEN_STATUSES = ("queued", "in_progress")


@dataclass(frozen=True, slots=True)
class RunRef:
    """One workflow run.

    Attributes:
        repository: OWNER/NAME as asked for.
        private: whether the repository is private, or None when the answer does not say.
        head_repository: where the code comes from; another repository's name for a fork, "" when it is
            deleted.
    """

    id: int
    run_attempt: int
    status: str
    event: str
    head_branch: str
    repository: str
    private: bool | None
    head_repository: str
    created_at: float | None


class Runs:
    """The queue reads of one GitHub."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def queued_runs(self, repository: str) -> tuple[RunRef, ...]:
        """Returns the runs of a repository that may hold a job which waits for a runner, oldest first.

        Raises:
            UpstreamError: they could not be read.
        """
        attempted = f"list the open runs of {repository}"
        where = Scope.parse(f"repos/{repository}", attempted)
        runs: dict[int, RunRef] = {}
        for status in OPEN_STATUSES:
            call = Call(
                "GET",
                f"/{where.path}/actions/runs",
                attempted,
                where.owner,
                {"status": status, "exclude_pull_requests": "true"},
            )
            for run in await self._calls.pages(call, "workflow_runs", lambda entry: _run(entry, repository)):
                runs[run.id] = run
        return tuple(runs[run_id] for run_id in sorted(runs))

    async def jobs_of_run(
        self, repository: str, run_id: int, *, private: bool | None = None
    ) -> tuple[JobFact, ...]:
        """Returns the jobs of a run's latest attempt, by id.

        Args:
            repository: OWNER/NAME.
            run_id: the run.
            private: what RunRef says; a job's own answer does not tell.

        Raises:
            UpstreamError: they could not be read.
        """
        attempted = f"list the jobs of run {run_id} in {repository}"
        where = Scope.parse(f"repos/{repository}", attempted)
        path = f"/{where.path}/actions/runs/{run_id:d}/jobs"
        call = Call("GET", path, attempted, where.owner, {"filter": "latest"})
        jobs = await self._calls.pages(
            call, "jobs", lambda entry: read_rest_job(entry, repository, private=private)
        )
        return tuple(sorted({job.id: job for job in jobs}.values(), key=lambda job: job.id))

    async def job(self, repository: str, job_id: int, *, private: bool | None = None) -> JobFact | None:
        """Returns one job, or None when GitHub does not show it (deleted with its run, or hidden).

        Raises:
            UpstreamError: it could not be read.
        """
        attempted = f"read job {job_id} of {repository}"
        where = Scope.parse(f"repos/{repository}", attempted)
        call = Call("GET", f"/{where.path}/actions/jobs/{job_id:d}", attempted, where.owner)
        response = await self._calls.send(call)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        if response.status_code != httpx.codes.OK:
            raise self._calls.refusal(call, response)
        return self._calls.parse(
            call, response, lambda body: read_rest_job(Fields(body, ""), repository, private=private)
        )


def _run(entry: Fields, repository: str) -> RunRef:
    where = entry.part_or_none("repository")
    head = entry.part_or_none("head_repository")
    return RunRef(
        id=entry.whole("id"),
        run_attempt=entry.whole("run_attempt", default=1),
        status=entry.text("status"),
        event=entry.text_or_empty("event"),
        head_branch=entry.text_or_empty("head_branch"),
        repository=repository,
        private=where.flag_or_none("private") if where else None,
        head_repository=head.text_or_empty("full_name") if head else "",
        created_at=entry.time_or_none("created_at"),
    )
