"""Early exits: Machines that ended by themselves without ever having been a runner."""

from sqlalchemy import Connection, func, or_, select

from runners.model.exits import NEVER_WORKED
from runners.model.snapshot import EarlyExit
from runners.store.tables import boots, machines, runners


def since(conn: Connection, at: float, image: str) -> tuple[EarlyExit, ...]:
    """Those of this image that ended at or after ``at``, oldest first: a new image starts with a clean slate.

    Their main process ended with a code of its own (Fly told one), we did not destroy them, and it either
    never called or said that it could not become a runner.
    """
    query = (
        select(machines.c.machine_class, boots.c.ended_at, boots.c.exit_reason)
        .join(machines, machines.c.name == boots.c.machine_name)
        .where(
            boots.c.ended_at >= at,
            machines.c.image == image,
            boots.c.exit_code.is_not(None),
            machines.c.destroy_sent_at.is_(None),
            or_(boots.c.ready_at.is_(None), boots.c.exit_reason.in_(sorted(NEVER_WORKED))),
        )
        .order_by(boots.c.ended_at, boots.c.machine_name)
    )
    return tuple(EarlyExit(*row) for row in conn.execute(query))


def online_since(conn: Connection, at: float) -> dict[str, float]:
    """By class, when a runner of it last came online, of those requested at or after ``at``."""
    last = func.max(func.coalesce(runners.c.online_at, runners.c.busy_at)).label("online")
    query = (
        select(machines.c.machine_class, last)
        .join(machines, machines.c.name == runners.c.machine_name)
        .where(
            runners.c.requested_at >= at,
            or_(runners.c.online_at.is_not(None), runners.c.busy_at.is_not(None)),
        )
        .group_by(machines.c.machine_class)
        .order_by(machines.c.machine_class)
    )
    return {row.machine_class: row.online for row in conn.execute(query)}
