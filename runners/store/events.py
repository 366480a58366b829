"""The audit trail: append-only, in commit order. The fleet's revision is its highest seq."""

from sqlalchemy import Connection, insert, select

from runners.model.nouns import Event
from runners.model.reason import Reason
from runners.store.tables import events

_COLUMNS = (
    events.c.seq,
    events.c.at,
    events.c.actor,
    events.c.verb,
    events.c.target,
    events.c.reason,
    events.c.detail,
    events.c.outcome,
    events.c.external_id,
)


def append(
    conn: Connection,
    *,
    at: float,
    actor: str,
    verb: str,
    target: str,
    reason: Reason,
    detail: str = "",
    outcome: str = "ok",
    external_id: str = "",
) -> int:
    """Add one event (fields as in runners.model.nouns.Event) and return its seq.

    Writers go one after the other (see connections), so a higher seq was also committed later.
    """
    statement = insert(events).returning(events.c.seq)
    values = {
        "at": at,
        "actor": actor,
        "verb": verb,
        "target": target,
        "reason": reason,
        "detail": detail,
        "outcome": outcome,
        "external_id": external_id,
    }
    return int(conn.execute(statement, values).scalar_one())


def page(
    conn: Connection,
    *,
    after: int = 0,
    before: int | None = None,
    target: str | None = None,
    actor: str | None = None,
    verb: str | None = None,
    reason: Reason | None = None,
    since: float | None = None,
    until: float | None = None,
    newest_first: bool = False,
    limit: int = 100,
) -> tuple[Event, ...]:
    """Up to ``limit`` events with ``after`` < seq < ``before`` that match what is given, in order of seq.

    ``since`` and ``until`` are Unix seconds; what happened at ``until`` itself is left out.
    """
    order = events.c.seq.desc() if newest_first else events.c.seq.asc()
    query = select(*_COLUMNS).where(events.c.seq > after).order_by(order).limit(limit)
    if before is not None:
        query = query.where(events.c.seq < before)
    if target is not None:
        query = query.where(events.c.target == target)
    if actor is not None:
        query = query.where(events.c.actor == actor)
    if verb is not None:
        query = query.where(events.c.verb == verb)
    if reason is not None:
        query = query.where(events.c.reason == reason)
    if since is not None:
        query = query.where(events.c.at >= since)
    if until is not None:
        query = query.where(events.c.at < until)
    return tuple(Event(*row) for row in conn.execute(query))


def revision(conn: Connection) -> int:
    """The fleet's revision: the highest seq, 0 before the first event; it never goes back."""
    query = select(events.c.seq).order_by(events.c.seq.desc()).limit(1)
    return int(conn.execute(query).scalar_one_or_none() or 0)
