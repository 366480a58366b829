"""Webhook deliveries that were taken, by GUID, and the cursors of loops that read a log."""

from sqlalchemy import Connection, select

from runners.store import rows
from runners.store.tables import cursors, deliveries

RESTORED = "restored"
"""The cursor that says when a backup was put in place: what arrived before may have gone to another one."""


def record(
    conn: Connection, guid: str, *, event: str, action: str, at: float, job_id: int | None, outcome: str
) -> bool:
    """Note a delivery. Returns False, without effect, when its GUID is known."""
    values = {
        "guid": guid,
        "event": event,
        "action": action,
        "at": at,
        "job_id": job_id,
        "outcome": outcome,
    }
    return rows.insert_new(conn, deliveries, values)


def known(conn: Connection, guid: str) -> bool:
    """Whether that delivery was taken."""
    query = select(deliveries.c.guid).where(deliveries.c.guid == guid).order_by(deliveries.c.guid)
    return conn.execute(query).first() is not None


def cursor(conn: Connection, name: str) -> str | None:
    """Where a loop has read up to, or None before its first reading."""
    query = select(cursors.c.value).where(cursors.c.name == name).order_by(cursors.c.name)
    return conn.execute(query).scalar_one_or_none()


def set_cursor(conn: Connection, name: str, value: str) -> None:
    """Remember where a loop has read up to."""
    rows.put(conn, cursors, {"name": name, "value": value})
