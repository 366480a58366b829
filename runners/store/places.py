"""Places: whose rows are, many at once: what a reader who may not see everything is judged by.

One look at 500 targets is a handful of statements here instead of up to 2,000, in which nobody else may use
the store.
"""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from runners.store.tables import jobs, machines, runners

_COLUMNS = (runners.c.name, runners.c.machine_name, runners.c.pool, runners.c.job_id)


@dataclass(frozen=True, slots=True)
class RunnerPlace:
    """Whose one Runner is: its pool's, and its job's when it was seen to run one."""

    name: str
    machine_name: str
    pool: str
    job_id: int | None


def of_jobs(conn: Connection, ids: Collection[int]) -> dict[int, tuple[str | None, str]]:
    """By id, the pool and the repository of the jobs that are there."""
    query = select(jobs.c.id, jobs.c.pool, jobs.c.repository).where(jobs.c.id.in_(sorted(ids)))
    return {row.id: (row.pool, row.repository) for row in conn.execute(query.order_by(jobs.c.id))}


def of_machines(conn: Connection, names: Collection[str]) -> dict[str, str]:
    """By name, the pool of the Machines that are there."""
    query = select(machines.c.name, machines.c.pool).where(machines.c.name.in_(sorted(names)))
    return {row.name: row.pool for row in conn.execute(query.order_by(machines.c.name))}


def of_runners(conn: Connection, names: Collection[str]) -> tuple[RunnerPlace, ...]:
    """The places of the Runners of these names that are there, by name."""
    query = select(*_COLUMNS).where(runners.c.name.in_(sorted(names))).order_by(runners.c.name)
    return tuple(RunnerPlace(*row) for row in conn.execute(query))


def on_machines(conn: Connection, names: Collection[str]) -> tuple[RunnerPlace, ...]:
    """The places of every Runner ever bound to these Machines, by name."""
    query = select(*_COLUMNS).where(runners.c.machine_name.in_(sorted(names))).order_by(runners.c.name)
    return tuple(RunnerPlace(*row) for row in conn.execute(query))
