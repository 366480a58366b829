"""JobView from a row, with the planner's Why and forecast."""

from collections.abc import Iterator

from runners.api.port import PlanView
from runners.model.nouns import Boot, Job, Runner
from runners.model.reason import Reason, Why
from runners.model.states import JobState
from runners.planning.forecast import Forecast
from runners.wire.job import ForecastView, JobView, PhaseView
from runners.wire.times import maybe_rfc3339, rfc3339
from runners.wire.why import WhyView


def job_view(
    job: Job,
    latest: PlanView | None,
    phases: tuple[PhaseView, ...] = (),
    refusal: str = "",
    failed: Why | None = None,
) -> JobView:
    """One job in public words.

    Args:
        job: the row.
        latest: the planner's latest pass.
        phases: its timeline; lists leave it out.
        refusal: particulars of its refusal, when they were looked up.
        failed: why this fleet failed it, likewise.
    """
    forecast = _forecast_of(job, latest)
    return JobView(
        id=job.id,
        run_id=job.run_id,
        run_attempt=job.run_attempt,
        name=job.name,
        workflow_name=job.workflow_name,
        repository=job.repository,
        head_branch=job.head_branch,
        labels=job.labels,
        html_url=job.html_url,
        private=job.private,
        merge_queue=job.merge_queue,
        pool=job.pool,
        state=job.state,
        conclusion=job.conclusion,
        created_at=rfc3339(job.created_at),
        accepted_at=rfc3339(job.accepted_at),
        queued_at=maybe_rfc3339(job.queued_at),
        in_progress_at=maybe_rfc3339(job.in_progress_at),
        completed_at=maybe_rfc3339(job.completed_at),
        runner_name=job.runner_name,
        why=why_view(why_of(job, latest, refusal) or failed),
        position=None if forecast is None or forecast.position < 1 else forecast.position,
        forecast=None if forecast is None else forecast_view(forecast),
        phases=phases,
        refused=job.refused,
        lost=job.lost,
    )


def why_of(job: Job, latest: PlanView | None, refusal: str = "") -> Why | None:
    """Why a job is where it is; None when it runs, or ended, as it should."""
    if job.refused is not None:
        return Why(job.refused, refusal)
    if job.lost is not None:
        return Why(job.lost, "its Machine ended while it ran")
    if job.state in (JobState.IN_PROGRESS, JobState.COMPLETED):
        return None
    planned = None if latest is None else latest.whys.get(job.id)
    if job.state is JobState.WAITING:
        if planned is not None and planned.reason is Reason.AWAITING_APPROVAL:
            return planned
        return Why(Reason.AWAITING_APPROVAL, "GitHub waits for an approval or a wait timer")
    if planned is None or planned.reason is Reason.AWAITING_APPROVAL:
        return Why(Reason.NOT_PLANNED_YET, "the next pass of the planner decides")
    return planned


def why_view(why: Why | None) -> WhyView | None:
    """A Why in the one wording."""
    if why is None:
        return None
    return WhyView(reason=why.reason, text=str(why), until=maybe_rfc3339(why.until))


def forecast_view(forecast: Forecast) -> ForecastView:
    """A Forecast in public words."""
    return ForecastView(
        expected_start=maybe_rfc3339(forecast.expected_start),
        earliest=maybe_rfc3339(forecast.earliest),
        latest=maybe_rfc3339(forecast.latest),
        confidence=forecast.confidence,
        basis=forecast.basis,
    )


def timeline(job: Job | None, runner: Runner | None, boot: Boot | None) -> tuple[PhaseView, ...]:
    """The way accepted → … → gone, of a job, of a runner, or of both.

    A phase's seconds are counted from the latest step before it, and never below 0: a runner that was there
    before its job was accepted cost that job no time.
    """
    return tuple(_phases(job, runner, boot))


def phase_times(job: Job | None, runner: Runner | None, boot: Boot | None) -> dict[str, float | None]:
    """When each phase was reached, Unix seconds, in the order of ``runners.model.states.PHASES``."""
    demand_at = None if runner is None else runner.demand_at
    started = None if boot is None else (boot.started_at or boot.ready_at)
    in_progress = None if job is None else job.in_progress_at
    completed = None if job is None else job.completed_at
    return {
        "accepted": demand_at if job is None else job.accepted_at,
        "requested": None if runner is None else runner.requested_at,
        "started": started,
        "claimed": None if runner is None else runner.claimed_at,
        "online": None if runner is None else runner.online_at,
        "in_progress": in_progress or (None if runner is None else runner.busy_at),
        "completed": completed or (None if runner is None else runner.finished_at),
        "gone": None if runner is None else runner.gone_at,
    }


def phase_seconds(times: dict[str, float | None]) -> dict[str, float | None]:
    """How long each phase took: None for the first and for those not reached."""
    latest: float | None = None
    seconds: dict[str, float | None] = {}
    for name, at in times.items():
        seconds[name] = None if at is None or latest is None else max(0.0, at - latest)
        if at is not None:
            latest = at if latest is None else max(at, latest)
    return seconds


def _phases(job: Job | None, runner: Runner | None, boot: Boot | None) -> Iterator[PhaseView]:
    times = phase_times(job, runner, boot)
    for name, seconds in phase_seconds(times).items():
        rounded = None if seconds is None else round(seconds, 3)
        yield PhaseView(name=name, at=maybe_rfc3339(times[name]), seconds=rounded)


def _forecast_of(job: Job, latest: PlanView | None) -> Forecast | None:
    if latest is None or job.state is not JobState.QUEUED or job.refused is not None:
        return None
    return latest.forecasts.get(job.id)
