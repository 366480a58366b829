"""Workflow jobs: what GitHub said, in the order in which it may say it."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, select

from runners.model.nouns import Job
from runners.model.reason import Reason
from runners.model.states import JOB_MOVES, JobState
from runners.store import events, rows
from runners.store.tables import JOBS_LIVE, jobs

_FIELDS = rows.fields_of(jobs, Job)


def insert(
    conn: Connection, job: Job, *, actor: str, reason: Reason, detail: str = "", external_id: str = ""
) -> bool:
    """Accept a job, with an ``accepted`` event (``refused`` when it carries a refusal).

    Returns:
        False, without effect, when its id is known.
    """
    if not rows.insert_new(conn, jobs, rows.values_of(jobs, job)):
        return False
    events.append(
        conn,
        at=job.accepted_at,
        actor=actor,
        verb="accepted" if job.refused is None else "refused",
        target=f"job/{job.id}",
        reason=reason,
        detail=detail,
        external_id=external_id,
    )
    return True


def move(
    conn: Connection,
    id: int,  # noqa: A002 - GitHub's word for it
    to: JobState,
    *,
    at: float,
    actor: str,
    reason: Reason,
    back: bool = False,
    detail: str = "",
    external_id: str = "",
    **fields: Any,
) -> bool:
    """Move a job forward (by JOB_MOVES), or with ``back`` also to a lower state, as a REST reading may.

    ``fields`` are further fields of Job to set, the state's own time among them.

    Returns:
        False, without effect, when the job is unknown or its state allows no such move.
    """
    rows.allow(jobs, fields, reserved=("state", "previous_state"))
    came_from = {state for state, ahead in JOB_MOVES.items() if to in ahead}
    if back:
        came_from |= {state for state in JobState if state.rank > to.rank}
    return rows.move(
        conn,
        jobs,
        id,
        to,
        came_from,
        at=at,
        actor=actor,
        reason=reason,
        detail=detail,
        external_id=external_id,
        values=fields,
    )


def update(conn: Connection, id: int, **fields: Any) -> bool:  # noqa: A002 - GitHub's word for it
    """Set fields of a job other than its state. Returns False when it is unknown."""
    return rows.change(conn, jobs, id, fields)


def get(conn: Connection, id: int) -> Job | None:  # noqa: A002 - GitHub's word for it
    """The job of that id, or None."""
    return _first(conn, select(*_FIELDS).where(jobs.c.id == id).order_by(jobs.c.id))


def live(conn: Connection) -> tuple[Job, ...]:
    """Waiting, queued and in_progress jobs that are not refused, oldest accepted first."""
    query = select(*_FIELDS).where(JOBS_LIVE).order_by(jobs.c.accepted_at, jobs.c.id)
    return tuple(_job(row) for row in conn.execute(query))


def page(
    conn: Connection,
    *,
    state: JobState | Collection[JobState] | None = None,
    pool: str | Collection[str] | None = None,
    repository: str | Collection[str] | None = None,
    run_id: int | None = None,
    after: int | None = None,
    limit: int = 100,
) -> tuple[Job, ...]:
    """Up to ``limit`` jobs, refused ones included, highest id first; a next page is ``after`` the last id.

    Each filter is one value or several; an empty collection matches nothing.
    """
    query = select(*_FIELDS).order_by(jobs.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(jobs.c.state.in_([state] if isinstance(state, str) else sorted(state)))
    if pool is not None:
        query = query.where(jobs.c.pool.in_([pool] if isinstance(pool, str) else sorted(pool)))
    if repository is not None:
        names = [repository] if isinstance(repository, str) else sorted(repository)
        query = query.where(jobs.c.repository.in_(names))
    if run_id is not None:
        query = query.where(jobs.c.run_id == run_id)
    if after is not None:
        query = query.where(jobs.c.id < after)
    return tuple(_job(row) for row in conn.execute(query))


def recent_repositories(conn: Connection, since: float) -> tuple[str, ...]:
    """Repositories with an open job, or one accepted at or after ``since``, and not refused, by name."""
    recent = select(jobs.c.repository).where(jobs.c.accepted_at >= since, jobs.c.refused.is_(None))
    # An open job counts however old it is: its end may be what nobody heard of.
    either = recent.union(select(jobs.c.repository).where(JOBS_LIVE)).subquery()
    return tuple(conn.execute(select(either.c.repository).order_by(either.c.repository)).scalars())


def by_runner(conn: Connection, runner_name: str) -> Job | None:
    """The latest job that GitHub said runs or ran on that runner, or None."""
    query = select(*_FIELDS).where(jobs.c.runner_name == runner_name).order_by(jobs.c.id.desc()).limit(1)
    return _first(conn, query)


def _first(conn: Connection, query: Select[Any]) -> Job | None:
    row = conn.execute(query).first()
    return None if row is None else _job(row)


def _job(row: Any) -> Job:
    return Job(*row)
