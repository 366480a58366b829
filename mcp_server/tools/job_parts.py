"""Jobs as answers show them: a row of a list, and everything about one."""

from typing import Literal

from pydantic import Field

from mcp_server.tools.frame import seconds_between
from mcp_server.tools.output import Part
from mcp_server.tools.words import Brief, Conclusion, Name, Quoted, Word
from runners.wire.job import ForecastView, JobView, PhaseView
from runners.wire.text import UntrustedUrl
from runners.wire.times import Time
from runners.wire.why import WhyView

HANDLE = "fleet://jobs/{id}"
Confidence = Literal["high", "medium", "low"]


class JobRow(Part):
    """One job in one line."""

    id: int
    repository: Brief
    workflow: Brief
    name: Brief
    pool: Name | None = None
    state: Word | None = None
    conclusion: Conclusion | None = None
    reason: Word | None = Field(None, description="Why it waits, was refused or was lost.")
    waited_s: float | None = Field(None, description="Since it was queued.")
    position: int | None = Field(None, description="In its pool; the lowest is next.")
    starts_in_s: float | None = Field(None, description="Expected, from as_of; absent: nobody can say.")


class Reasoned(Part):
    """Why something is as it is."""

    reason: Word
    detail: Quoted | None = None
    until: Time | None = Field(None, description="When that should change.")


class Expected(Part):
    """When a queued job should start."""

    start: Time | None = Field(None, description="Absent: nobody can say.")
    in_s: float | None = Field(None, description="The same in seconds from as_of.")
    earliest: Time | None = None
    latest: Time | None = None
    confidence: Confidence
    basis: Quoted = Field(description="How it was estimated.")


class Phase(Part):
    """A step that was reached."""

    name: Word
    at: Time
    seconds: float | None = Field(None, description="Since the step before.")


class JobDetail(Part):
    """Everything about one job."""

    id: int
    handle: str
    repository: Quoted
    workflow: Quoted
    name: Quoted
    branch: Quoted
    labels: tuple[Brief, ...] = ()
    url: UntrustedUrl | None = None
    run_id: int
    attempt: int
    state: Word
    conclusion: Conclusion | None = None
    pool: Name | None = Field(None, description="Absent: no pool serves it.")
    why: Reasoned | None = Field(None, description="Absent: nothing to explain.")
    position: int | None = Field(None, description="In its pool's queue; the lowest is next.")
    expected: Expected | None = Field(None, description="Only while queued.")
    merge_queue: bool | None = Field(None, description="True: it goes first when capacity is short.")
    waited_s: float | None = Field(None, description="Queued until it started, or until as_of.")
    ran_s: float | None = None
    runner: Quoted | None = Field(None, description="Who runs or ran it.")
    phases: tuple[Phase, ...] = Field((), description="Its way so far.")


def handle(job_id: int) -> str:
    """The job's handle."""
    return HANDLE.replace("{id}", str(job_id))


def job_row(job: JobView, as_of: str, *, state: bool = False) -> JobRow:
    """One line; with ``state`` for lists of jobs in different states."""
    forecast = job.forecast
    return JobRow(
        id=job.id,
        repository=job.repository,
        workflow=job.workflow_name,
        name=job.name,
        pool=job.pool,
        state=job.state if state else None,
        conclusion=job.conclusion,
        reason=None if job.why is None else job.why.reason,
        waited_s=_waited(job, as_of),
        position=job.position,
        starts_in_s=None if forecast is None else seconds_between(as_of, forecast.expected_start),
    )


def job_detail(job: JobView, as_of: str) -> JobDetail:
    """All there is."""
    return JobDetail(
        id=job.id,
        handle=handle(job.id),
        repository=job.repository,
        workflow=job.workflow_name,
        name=job.name,
        branch=job.head_branch,
        labels=job.labels,
        url=job.html_url or None,
        run_id=job.run_id,
        attempt=job.run_attempt,
        state=job.state,
        conclusion=job.conclusion,
        pool=job.pool,
        why=None if job.why is None else reasoned(job.why),
        position=job.position,
        expected=expected(job.forecast, as_of),
        merge_queue=job.merge_queue or None,
        waited_s=_waited(job, as_of),
        ran_s=seconds_between(job.in_progress_at, job.completed_at or as_of),
        runner=job.runner_name,
        phases=phases(job.phases),
    )


def reasoned(why: WhyView) -> Reasoned:
    """A reason with its particulars, which may name what others chose."""
    return Reasoned(reason=why.reason, detail=why.text.partition(": ")[2] or None, until=why.until)


def phases(reached: tuple[PhaseView, ...]) -> tuple[Phase, ...]:
    """The steps that were reached."""
    return tuple(
        Phase(name=each.name, at=each.at, seconds=each.seconds) for each in reached if each.at is not None
    )


def expected(forecast: ForecastView | None, as_of: str) -> Expected | None:
    """When a job should start, from ``as_of``."""
    if forecast is None:
        return None
    return Expected(
        start=forecast.expected_start,
        in_s=seconds_between(as_of, forecast.expected_start),
        earliest=forecast.earliest,
        latest=forecast.latest,
        confidence=forecast.confidence,
        basis=forecast.basis,
    )


def _waited(job: JobView, as_of: str) -> float | None:
    if job.queued_at is None:
        return None
    return seconds_between(job.queued_at, job.in_progress_at or job.completed_at or as_of)
