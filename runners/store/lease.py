"""The one lease for the whole planner: of several dispatchers on a database, one plans.

It keeps two planners from working against each other. A holder that overslept its lease finds that its term
has ended when it commits, and drops what it planned; effects that are out already are fenced by names that
are never reused and by the claim.
"""

from sqlalchemy import Connection, delete, or_, select, update

from runners.store import rows
from runners.store.tables import lease

PLANNER = "planner"


def acquire(conn: Connection, holder: str, now: float, ttl: float) -> bool:
    """Take the lease, or prolong one's own, until ``now + ttl`` seconds.

    Returns:
        False, without effect, while another holder's has not expired. It expires at its end, not after it.
    """
    if rows.insert_new(
        conn,
        lease,
        {"name": PLANNER, "holder": holder, "acquired_at": now, "expires_at": now + ttl},
    ):
        return True
    mine = lease.c.holder == holder
    prolonged = conn.execute(
        update(lease)
        .where(lease.c.name == PLANNER, mine, lease.c.expires_at > now)
        .values(expires_at=now + ttl)
    )
    if prolonged.rowcount == 1:
        return True
    taken = conn.execute(
        update(lease)
        .where(lease.c.name == PLANNER, or_(mine, lease.c.expires_at <= now))
        .values(holder=holder, acquired_at=now, expires_at=now + ttl)
    )
    return taken.rowcount == 1


def term(conn: Connection, holder: str) -> float | None:
    """When ``holder``'s present term began, Unix seconds; None when the lease is another's or nobody's.

    A term goes on past its expiry for as long as nobody else takes the lease: who finds the same term twice
    knows that nobody planned in between.
    """
    query = (
        select(lease.c.acquired_at)
        .where(lease.c.name == PLANNER, lease.c.holder == holder)
        .order_by(lease.c.name)
    )
    return conn.execute(query).scalar_one_or_none()


def release(conn: Connection, holder: str) -> bool:
    """Give the lease back. Returns False, without effect, when ``holder`` does not have it."""
    statement = delete(lease).where(lease.c.name == PLANNER, lease.c.holder == holder)
    return conn.execute(statement).rowcount == 1


def holder(conn: Connection, now: float) -> str | None:
    """Who holds the lease at ``now``, or None."""
    query = (
        select(lease.c.holder).where(lease.c.name == PLANNER, lease.c.expires_at > now).order_by(lease.c.name)
    )
    return conn.execute(query).scalar_one_or_none()
