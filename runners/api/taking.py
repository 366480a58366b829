"""How an accepted fact is written: the job's row, its moves, and what the Runner it names learns from it.

The state's own times are ours: phases are measured on one clock. A fact that was recovered late brings
GitHub's time instead, bounded by when we first knew of the job and by now.
"""

from typing import Any

from sqlalchemy import Connection

from runners.api.acceptance import Acceptance, Known, Source, Verdict
from runners.github.payload import JobFact
from runners.model.nouns import Job, Runner
from runners.model.reason import Reason
from runners.model.settings import Settings
from runners.model.states import JobState, RunnerState
from runners.planning.charge import covers, drained_pools
from runners.store import events, jobs, pools, runners

# The column has 32 bits; no run was ever attempted that often.
ATTEMPT_MAX = 2**31 - 1


def drained_now(conn: Connection, settings: Settings) -> frozenset[str]:
    """Names of the pools that take no new work, operator overrides applied."""
    said = {name: override.drained for name, override in pools.overrides(conn).items()}
    return drained_pools(settings, said)


def runner_of(conn: Connection, fact: JobFact) -> Runner | None:
    """The Runner of ours that runs or ran the fact's job, or None.

    Only in_progress and completed name one (a queued payload may carry a hosted runner's name), and only a
    repository that our Runner's registration can be seen from: in another account anybody may give a runner
    the same name.
    """
    if fact.status not in (JobState.IN_PROGRESS, JobState.COMPLETED) or fact.runner_name is None:
        return None
    runner = runners.get(conn, fact.runner_name)
    return runner if runner is not None and covers(runner.scope, fact.repository) else None


def job_from(fact: JobFact, acceptance: Acceptance, now: float) -> Job:
    """The row of a job that was not known before."""
    return Job(
        id=fact.id,
        run_id=fact.run_id,
        run_attempt=min(fact.run_attempt, ATTEMPT_MAX),
        name=fact.name,
        workflow_name=fact.workflow_name,
        repository=fact.repository,
        installation_id=fact.installation_id,
        labels=fact.labels,
        head_branch=fact.head_branch,
        html_url=fact.html_url,
        private=fact.private is True,
        pool=acceptance.pool,
        state=fact.status,
        accepted_at=now,
        created_at=fact.created_at or now,
        refused=acceptance.refused,
        **{"conclusion": None} | _fields_of_state(fact, now, since=now),
    )


def write_advance(
    conn: Connection,
    fact: JobFact,
    acceptance: Acceptance,
    known: Known,
    now: float,
    *,
    actor: str,
    guid: str,
) -> bool:
    """Move a known job forward, and take it in when it was refused and no longer is."""
    job = known.job
    if job is None:
        return False
    why = acceptance.why
    reconsidered = acceptance.verdict is Verdict.RECONSIDER
    if reconsidered:
        jobs.update(conn, job.id, refused=None, pool=acceptance.pool)
        events.append(
            conn,
            at=now,
            actor=actor,
            verb="accepted",
            target=f"job/{job.id}",
            reason=why.reason,
            detail=why.detail,
            external_id=guid,
        )
    if fact.status is job.state:
        return reconsidered
    fields = _fields_of_state(fact, now, since=now if actor == Source.WEBHOOK else job.accepted_at)
    if fact.status is JobState.QUEUED or job.pool is None:
        fields["pool"] = acceptance.pool
    return jobs.move(
        conn,
        job.id,
        fact.status,
        at=now,
        actor=actor,
        reason=why.reason,
        detail=why.detail,
        external_id=guid,
        **fields,
    )


def write_move_back(
    conn: Connection, fact: JobFact, acceptance: Acceptance, now: float, *, actor: str
) -> bool:
    """Move a job back to what a REST reading says; what it had gained since is forgotten."""
    fields: dict[str, Any] = {"in_progress_at": None, "runner_name": None, "lost": None}
    if fact.status is JobState.WAITING:
        fields["queued_at"] = None
    elif fact.status is JobState.QUEUED:
        fields["pool"] = acceptance.pool
    return jobs.move(
        conn,
        fact.id,
        fact.status,
        at=now,
        actor=actor,
        reason=acceptance.why.reason,
        detail=acceptance.why.detail,
        back=True,
        **fields,
    )


def tell_runner(
    conn: Connection, runner: Runner, fact: JobFact, now: float, *, actor: str, guid: str
) -> None:
    """Tell the Runner: in_progress makes it busy, completed ends it (GitHub removes its record itself)."""
    if fact.status is JobState.IN_PROGRESS:
        fields: dict[str, Any] = {"job_id": fact.id}
        if runner.busy_at is None:
            fields["busy_at"] = now
        moved = runner.state is not RunnerState.BUSY and runners.move(
            conn,
            runner.name,
            RunnerState.BUSY,
            at=now,
            actor=actor,
            reason=Reason.BUSY,
            detail=f"GitHub gave it job {fact.id}",
            external_id=guid,
            **fields,
        )
        if not moved and runner.state is RunnerState.BUSY:
            runners.update(conn, runner.name, **fields)
        return
    ended = {"job_id": fact.id, "finished_at": runner.finished_at or now}
    moved = runners.move(
        conn,
        runner.name,
        RunnerState.RETIRING,
        at=now,
        actor=actor,
        reason=Reason.JOB_COMPLETED,
        detail=f"job {fact.id} completed",
        external_id=guid,
        retiring_at=now,
        **ended,
    )
    if not moved and runner.state is RunnerState.RETIRING:
        runners.update(conn, runner.name, **ended)


def _fields_of_state(fact: JobFact, now: float, *, since: float) -> dict[str, Any]:
    """The times and particulars that belong to the fact's state.

    Args:
        fact: what GitHub says.
        now: when we learnt it.
        since: the earliest believable time; ``now`` believes no other.
    """
    if fact.status is JobState.WAITING:
        return {}
    if fact.status is JobState.QUEUED:
        return {"queued_at": now}
    if fact.status is JobState.IN_PROGRESS:
        started_at = _bounded(fact.started_at, since, now)
        return {"runner_name": fact.runner_name, "in_progress_at": started_at}
    ended = {"conclusion": fact.conclusion, "completed_at": _bounded(fact.completed_at, since, now)}
    if fact.conclusion == "success":
        # Its Machine's end looked like a loss (Fly no longer told the exit code); GitHub knows better.
        ended["lost"] = None
    # A completed fact that names nobody (cancelled while queued) forgets nobody.
    return ended | ({} if fact.runner_name is None else {"runner_name": fact.runner_name})


def _bounded(claimed: float | None, since: float, now: float) -> float:
    return now if claimed is None else min(max(claimed, since), now)
