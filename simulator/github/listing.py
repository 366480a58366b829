"""Runs and jobs as the REST lists filter them: what a queue sweep reads."""

from collections.abc import Sequence
from datetime import datetime

from simulator.github.accounts import Repository
from simulator.github.jobs import Run, WorkflowJob
from simulator.github.problems import invalid_field, not_found
from simulator.github.queue import Queue


def runs_of(
    queue: Queue,
    repository: Repository,
    *,
    status: str | None = None,
    branch: str | None = None,
    event: str | None = None,
    created: str | None = None,
) -> Sequence[Run]:
    """A repository's runs, newest first.

    Args:
        queue: holds them.
        repository: whose.
        status: a run status or a conclusion, as GitHub's one filter takes both.
        branch: the head branch.
        event: what started the run.
        created: `>=T`, `>T`, `<=T`, `<T`, `T..T` or `T`, each T an ISO date or time.

    Raises:
        GitHubProblem: 422 a date that is none.
    """
    from_, to = _range(created)
    return [
        run
        for run in reversed(queue.runs.values())
        if run.repository.id == repository.id
        and (status is None or status in {run.status, run.conclusion})
        and (branch is None or run.head_branch == branch)
        and (event is None or run.event == event)
        and from_ <= run.created_at <= to
    ]


def run_of(queue: Queue, repository: Repository, run_id: int) -> Run:
    """One run of a repository.

    Raises:
        GitHubProblem: 404.
    """
    run = queue.runs.get(run_id)
    if run is None or run.repository.id != repository.id:
        raise not_found()
    return run


def job_of(queue: Queue, repository: Repository, job_id: int) -> WorkflowJob:
    """One job of a repository.

    Raises:
        GitHubProblem: 404.
    """
    job = queue.jobs.get(job_id)
    if job is None or job.run.repository.id != repository.id:
        raise not_found()
    return job


def _range(created: str | None) -> tuple[float, float]:
    low, high = float("-inf"), float("inf")
    if created is None:
        return low, high
    if ".." in created:
        first, _, last = created.partition("..")
        return (low if first == "*" else _time(first)), (high if last == "*" else _time(last))
    bare = created.lstrip("<>=")
    if created.startswith(">"):
        return _time(bare), high
    if created.startswith("<"):
        return low, _time(bare)
    return _time(bare), _time(bare) + (86_400.0 if "T" not in bare else 1.0)


def _time(text: str) -> float:
    try:
        return datetime.fromisoformat(text + ("" if "T" in text else "T00:00:00+00:00")).timestamp()
    except ValueError:
        raise invalid_field("WorkflowRun", "created", f"{text!r} is not a date") from None
