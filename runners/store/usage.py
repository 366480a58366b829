"""What was used: one Span per Boot, with the job that ran on it, for budgets and cost reports."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, func, select

from runners.store.tables import boots, jobs, machines, runners


@dataclass(frozen=True, slots=True)
class Span:
    """The started time of one Boot inside a window of time.

    Attributes:
        repository: of the job it ran, "" when it ran none (a spare, a surplus, or a failed boot).
        workflow_name: likewise.
        started_at: when it was first seen started, or the window's begin if that is later (Unix seconds).
        ended_at: when it was first seen ended, or the window's end if that is earlier or it still runs.
        busy_s: seconds of that time during which its runner had the job.
    """

    pool: str
    repository: str
    workflow_name: str
    machine_class: str
    region: str
    started_at: float
    ended_at: float
    busy_s: float


def busy_spans(conn: Connection, since: float, until: float) -> tuple[Span, ...]:
    """The Spans of every Boot that was started at some time in [since, until), by start.

    A Boot that was never seen started cost nothing and is left out: Fly bills the started state.
    """
    started = func.coalesce(boots.c.started_at, boots.c.ready_at)
    ended = func.coalesce(boots.c.ended_at, machines.c.gone_at)
    query = (
        select(
            machines.c.pool,
            machines.c.machine_class,
            machines.c.region,
            jobs.c.repository,
            jobs.c.workflow_name,
            started.label("started_at"),
            ended.label("ended_at"),
            runners.c.busy_at,
            func.coalesce(runners.c.finished_at, jobs.c.completed_at).label("finished_at"),
        )
        .select_from(boots)
        .join(machines, machines.c.name == boots.c.machine_name)
        .outerjoin(
            runners,
            and_(
                runners.c.machine_name == boots.c.machine_name,
                runners.c.boot_seq == boots.c.seq,
                # A runner whose mint was lost is replaced under a new name; only one of a Boot has the job.
                runners.c.busy_at.is_not(None),
            ),
        )
        .outerjoin(jobs, jobs.c.id == runners.c.job_id)
        .where(started < until, ended.is_(None) | (ended > since))
        .order_by(started, boots.c.machine_name, boots.c.seq, runners.c.name)
    )
    return tuple(_span(row, since, until) for row in conn.execute(query))


def _span(row: Any, since: float, until: float) -> Span:
    started = max(row.started_at, since)
    ended = min(row.ended_at if row.ended_at is not None else until, until)
    return Span(
        pool=row.pool,
        repository=row.repository or "",
        workflow_name=row.workflow_name or "",
        machine_class=row.machine_class,
        region=row.region,
        started_at=started,
        ended_at=ended,
        busy_s=_overlap(row.busy_at, row.finished_at, started, ended),
    )


def _overlap(begin: float | None, end: float | None, started: float, ended: float) -> float:
    if begin is None:
        return 0.0
    return max(0.0, min(end if end is not None else ended, ended) - max(begin, started))
