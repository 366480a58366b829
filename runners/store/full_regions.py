"""Full regions: where Fly had no room for a class lately; kept over a restart, shared by all dispatchers.

What an app refused for good is not kept here: whoever mends a token and restarts is not to wait for it.
"""

from sqlalchemy import Connection, delete, select

from runners.model.reason import Reason, Why
from runners.model.snapshot import Refusal
from runners.store import rows
from runners.store.tables import full_regions


def put(conn: Connection, machine_class: str, region: str, at: float, detail: str) -> None:
    """Note that the region had no room for the class at ``at``; an older note of it gives way."""
    rows.put(
        conn,
        full_regions,
        {"machine_class": machine_class, "region": region, "at": at, "detail": detail},
    )


def since(conn: Connection, at: float) -> tuple[Refusal, ...]:
    """The refusals at or after ``at``, oldest first."""
    query = (
        select(full_regions)
        .where(full_regions.c.at >= at)
        .order_by(full_regions.c.at, full_regions.c.machine_class, full_regions.c.region)
    )
    return tuple(
        Refusal(row.region, row.machine_class, row.at, Why(Reason.NO_CAPACITY, row.detail))
        for row in conn.execute(query)
    )


def opened(conn: Connection, machine_class: str, region: str, asked_at: float) -> bool:
    """Forget a region's refusal: a create asked for after it was accepted. Returns whether there was one."""
    statement = delete(full_regions).where(
        full_regions.c.machine_class == machine_class,
        full_regions.c.region == region,
        full_regions.c.at <= asked_at,
    )
    return conn.execute(statement).rowcount > 0


def purge(conn: Connection, before: float) -> int:
    """Remove the refusals before ``before``, of classes and regions that nobody asks for any more."""
    return conn.execute(delete(full_regions).where(full_regions.c.at < before)).rowcount
