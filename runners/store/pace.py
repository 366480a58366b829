"""Pace: how fast each pool has been lately, from the time stamps of its last Runners that ran a job."""

from statistics import quantiles

from sqlalchemy import Connection, select

from runners.model.snapshot import Pace
from runners.store.tables import runners

SAMPLES = 50


def of_pool(conn: Connection, pool: str) -> Pace:
    """The pool's Pace over its last SAMPLES Runners that got a job."""
    query = (
        select(runners.c.requested_at, runners.c.busy_at, runners.c.finished_at)
        .where(runners.c.pool == pool, runners.c.busy_at.is_not(None))
        .order_by(runners.c.requested_at.desc(), runners.c.name)
        .limit(SAMPLES)
    )
    rows = conn.execute(query).all()
    starts = [row.busy_at - row.requested_at for row in rows]
    lengths = [row.finished_at - row.busy_at for row in rows if row.finished_at is not None]
    return Pace(
        start_p50=percentile(starts, 50),
        start_p90=percentile(starts, 90),
        job_p50=percentile(lengths, 50),
        samples=len(starts),
    )


def percentile(values: list[float], percent: int) -> float | None:
    """The given percentile (1 to 99), interpolated between samples; None without any."""
    if not values:
        return None
    if len(values) == 1:
        return values[0]
    return quantiles(values, n=100, method="inclusive")[percent - 1]
