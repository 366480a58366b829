"""Early exits: Machines that ended by themselves without ever having been a runner."""

from sqlalchemy import Connection, or_, select

from runners.model.exits import NEVER_WORKED
from runners.model.snapshot import EarlyExit
from runners.store.tables import boots, machines


def since(conn: Connection, at: float) -> tuple[EarlyExit, ...]:
    """Those that ended at or after ``at``, oldest first.

    Their main process ended with a code of its own (Fly told one), we did not destroy them, and it either
    never called or said that it could not become a runner.
    """
    query = (
        select(machines.c.machine_class, boots.c.ended_at, boots.c.exit_reason)
        .join(machines, machines.c.name == boots.c.machine_name)
        .where(
            boots.c.ended_at >= at,
            boots.c.exit_code.is_not(None),
            machines.c.destroy_sent_at.is_(None),
            or_(boots.c.ready_at.is_(None), boots.c.exit_reason.in_(sorted(NEVER_WORKED))),
        )
        .order_by(boots.c.ended_at, boots.c.machine_name)
    )
    return tuple(EarlyExit(*row) for row in conn.execute(query))
