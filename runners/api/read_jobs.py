"""GET /v1/jobs and /v1/jobs/{id}: the queue in order, history newest first, and one job with all there is."""

from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import Field
from sqlalchemy import Connection

from runners.api.access import Fleet, Viewer
from runners.api.access import Reader as MayRead
from runners.api.job_views import job_view, timeline
from runners.api.lookups import (
    BATCH,
    LIMIT_DEFAULT,
    SCANNED_MAX,
    Limit,
    NumberCursor,
    Question,
    ShortText,
    cursor_unknown,
    invalid,
    not_found,
)
from runners.model.nouns import Job
from runners.model.reason import Reason, Why
from runners.model.states import JobState
from runners.store import events, jobs, machines, runners
from runners.wire.job import JobAnswer, JobPage
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])
ID_MAX = 2**63 - 1
_LIVE = frozenset({JobState.WAITING, JobState.QUEUED, JobState.IN_PROGRESS})


class JobQuestion(Question):
    """Which jobs.

    Attributes:
        order: ``newest`` looks at all jobs, the latest accepted id first; ``oldest`` at those that have not
            completed and are not refused, the longest known first, which is the queue.
        cursor: the id of the job to go on after: ``next_cursor``, or any row's own.
    """

    state: tuple[JobState, ...] = ()
    pool: ShortText | None = None
    repository: ShortText | None = None
    label: ShortText | None = None
    order: Literal["newest", "oldest"] = "newest"
    run_id: Annotated[int, Field(ge=1, le=ID_MAX)] | None = None
    cursor: NumberCursor | None = None
    limit: Limit = LIMIT_DEFAULT


@router.get("/jobs")
async def job_page(fleet: Fleet, viewer: MayRead, question: Annotated[JobQuestion, Query()]) -> JobPage:
    """Jobs, by state, pool, repository, label and run."""
    if question.pool is not None:
        names = {pool.name for pool in viewer.sight.pools_of(fleet.settings)}
        if question.pool not in names:
            raise not_found("pool", names, question.pool)
    if question.order == "oldest" and JobState.COMPLETED in question.state:
        raise invalid(
            "order=oldest lists the queue, and completed jobs are not in it",
            "GET /v1/jobs",
            "leave out state=completed, or order=oldest",
        )
    page = _queue if question.order == "oldest" else _history
    now = fleet.clock.now()

    def op(conn: Connection) -> tuple[int, _Page]:
        return events.revision(conn), page(conn, viewer, question)

    revision, found = await fleet.store.run(op)
    latest = fleet.latest
    return JobPage(
        revision=revision,
        as_of=rfc3339(now),
        jobs=tuple(job_view(job, latest) for job in found.jobs),
        next_cursor=found.cursor,
        total=found.total,
    )


@router.get("/jobs/{id}")
async def one_job(
    fleet: Fleet,
    viewer: MayRead,
    id: Annotated[int, Path(ge=1, le=ID_MAX)],  # noqa: A002 - GitHub's word for it
) -> JobAnswer:
    """One job: its timeline, why it is where it is, its place in the queue, and when it should start."""
    now = fleet.clock.now()
    latest = fleet.latest

    def op(conn: Connection) -> JobAnswer | None:
        revision = events.revision(conn)
        job = jobs.get(conn, id)
        if job is None or not viewer.sight.job(job):
            return None
        runner = None if job.runner_name is None else runners.get(conn, job.runner_name)
        machine_boots = () if runner is None else machines.boots(conn, runner.machine_name)
        boot = next((each for each in machine_boots if runner and each.seq == runner.boot_seq), None)
        refusal = ""
        if job.refused is not None:
            told = events.page(conn, target=f"job/{id}", verb="refused", newest_first=True, limit=1)
            refusal = told[0].detail if told else ""
        view = job_view(job, latest, timeline(job, runner, boot), refusal, _at_the_gate(conn, job))
        return JobAnswer(revision=revision, as_of=rfc3339(now), job=view)

    answer = await fleet.store.run(op)
    if answer is None:
        raise not_found("job")
    return answer


def _at_the_gate(conn: Connection, job: Job) -> Why | None:
    """Why the gate of its Machine failed the job, as the Machine says; None when it did not fail so."""
    if job.conclusion != "failure" or job.runner_name is None:
        return None
    told = events.page(conn, target=f"runner/{job.runner_name}", reason=Reason.GATE_REFUSED, limit=1)
    return Why(Reason.GATE_REFUSED, told[0].detail) if told else None


@dataclass(frozen=True, slots=True)
class _Page:
    """One page of jobs.

    Attributes:
        cursor: what the next one begins after, None when there is none.
        total: how many there are on all pages, None when nobody counted.
    """

    jobs: tuple[Job, ...]
    cursor: str | None
    total: int | None = None


def _queue(conn: Connection, viewer: Viewer, question: JobQuestion) -> _Page:
    states = frozenset(question.state) or _LIVE
    matching = [
        job
        for job in jobs.live(conn)
        if job.state in states and viewer.sight.job(job) and _asked_for(job, question)
    ]
    after = _place_of(conn, viewer, question.cursor)
    rest = [job for job in matching if after is None or (job.accepted_at, job.id) > after]
    page = tuple(rest[: question.limit])
    return _Page(page, str(page[-1].id) if len(rest) > len(page) else None, len(matching))


def _history(conn: Connection, viewer: Viewer, question: JobQuestion) -> _Page:
    """Highest id first; past SCANNED_MAX hidden or unasked rows the page ends early, with a cursor."""
    after = None if question.cursor is None else int(question.cursor)
    found: list[Job] = []
    for _ in range(SCANNED_MAX // BATCH):
        batch = jobs.page(
            conn,
            state=question.state or None,
            pool=question.pool,
            run_id=question.run_id,
            after=after,
            limit=BATCH,
        )
        for job in batch:
            after = job.id
            if viewer.sight.job(job) and _asked_for(job, question):
                found.append(job)
                if len(found) == question.limit:
                    return _Page(tuple(found), str(after))
        if len(batch) < BATCH:
            return _Page(tuple(found), None)
    return _Page(tuple(found), None if after is None else str(after))


def _asked_for(job: Job, question: JobQuestion) -> bool:
    if question.pool is not None and job.pool != question.pool:
        return False
    if question.run_id is not None and job.run_id != question.run_id:
        return False
    if question.repository is not None and job.repository.lower() != question.repository.lower():
        return False
    return question.label is None or question.label.lower() in job.labels


def _place_of(conn: Connection, viewer: Viewer, cursor: str | None) -> tuple[float, int] | None:
    """Where a job stands, or stood, in the order of the queue."""
    if cursor is None:
        return None
    job = jobs.get(conn, int(cursor))
    if job is None or not viewer.sight.job(job):
        raise cursor_unknown("job")
    return job.accepted_at, job.id
