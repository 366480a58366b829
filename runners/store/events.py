"""The audit trail: append-only, in commit order. The fleet's revision is its highest seq."""

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, Text, case, func, insert, literal_column, select

from runners.model.nouns import Event
from runners.model.reason import Reason
from runners.store.tables import events

# What a target may be of, other than a mere word such as ``webhook``.
KINDS = ("job", "runner", "machine", "volume", "pool", "token")
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


@dataclass(frozen=True, slots=True)
class Group:
    """The events of one Reason about one kind of target.

    Attributes:
        kind: one of KINDS, "" for targets that are a mere word.
        events: how many.
        targets: how many different ones they are about.
        first_at: of the oldest, Unix seconds.
        last_at: of the latest.
    """

    reason: Reason
    kind: str
    events: int
    targets: int
    first_at: float
    last_at: float


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
    reason: Reason | Collection[Reason] | None = None,
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
        query = query.where(events.c.reason.in_([reason] if isinstance(reason, str) else sorted(reason)))
    if since is not None:
        query = query.where(events.c.at >= since)
    if until is not None:
        query = query.where(events.c.at < until)
    return tuple(Event(*row) for row in conn.execute(query))


def by_reason(
    conn: Connection, reasons: Collection[Reason], *, since: float, until: float | None = None
) -> tuple[Group, ...]:
    """How often each of these Reasons was noted in a window: one Group for each kind of target."""
    # Literal words: a bound one would be another parameter in SELECT than in GROUP BY.
    words = {kind: literal_column(f"'{kind}'", Text) for kind in KINDS}
    named = [(events.c.target.like(f"{kind}/%"), word) for kind, word in words.items()]
    kind = case(*named, else_=literal_column("''", Text)).label("kind")
    query = (
        select(
            events.c.reason,
            kind,
            func.count().label("events"),
            func.count(events.c.target.distinct()).label("targets"),
            func.min(events.c.at).label("first_at"),
            func.max(events.c.at).label("last_at"),
        )
        .where(events.c.reason.in_(sorted(reasons)), events.c.at >= since)
        .group_by(events.c.reason, kind)
        .order_by(events.c.reason, kind)
    )
    if until is not None:
        query = query.where(events.c.at < until)
    return tuple(Group(*row) for row in conn.execute(query))


def revision(conn: Connection) -> int:
    """The fleet's revision: the highest seq, 0 before the first event; it never goes back."""
    query = select(events.c.seq).order_by(events.c.seq.desc()).limit(1)
    return int(conn.execute(query).scalar_one_or_none() or 0)
