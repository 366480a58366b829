"""When the Runners that have gone reached each phase, read in the order in which they went."""

from dataclasses import dataclass

from sqlalchemy import Connection, and_, func, select

from runners.model.states import PHASES
from runners.store.tables import boots, events, jobs, runners

_TARGET = "runner/"


@dataclass(frozen=True, slots=True)
class Gone:
    """One Runner that has gone, with its times in Unix seconds; None for what was never reached or seen.

    Attributes:
        seq: of the event of its end.
        pool: its pool.
        times: by phase, in order.
    """

    seq: int
    pool: str
    times: dict[str, float | None]


def gone_after(conn: Connection, seq: int, limit: int) -> tuple[Gone, ...]:
    """The first Runners whose end came after event ``seq``, each once, in the order of their ends."""
    end = func.max(events.c.seq).label("end")
    # A Runner has many moves and one end: the last one made at the time at which it went.
    ended = (
        select(runners.c.name.label("name"), end)
        .select_from(events)
        .join(runners, runners.c.name == func.substr(events.c.target, len(_TARGET) + 1))
        .where(events.c.seq > seq, events.c.verb == "moved", events.c.target.like(f"{_TARGET}%"))
        .where(runners.c.gone_at == events.c.at)
        .group_by(runners.c.name)
        .order_by(end)
        .limit(limit)
        .subquery("ended")
    )
    query = (
        select(
            ended.c.end,
            runners.c.pool,
            func.coalesce(jobs.c.accepted_at, runners.c.demand_at),
            runners.c.requested_at,
            func.coalesce(boots.c.started_at, boots.c.ready_at),
            runners.c.claimed_at,
            runners.c.online_at,
            func.coalesce(jobs.c.in_progress_at, runners.c.busy_at),
            func.coalesce(jobs.c.completed_at, runners.c.finished_at),
            runners.c.gone_at,
        )
        .select_from(ended)
        .join(runners, runners.c.name == ended.c.name)
        .outerjoin(
            boots, and_(boots.c.machine_name == runners.c.machine_name, boots.c.seq == runners.c.boot_seq)
        )
        .outerjoin(jobs, jobs.c.id == runners.c.job_id)
        .order_by(ended.c.end)
    )
    return tuple(Gone(row[0], row[1], dict(zip(PHASES, row[2:], strict=True))) for row in conn.execute(query))
