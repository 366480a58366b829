"""The event log as counters: how often each thing was done, summed by the database."""

from dataclasses import dataclass

from sqlalchemy import Connection, case, func, literal_column, select

from runners.model.reason import Reason
from runners.store.events import revision
from runners.store.tables import events

# Tokens are many and their ids are nobody's business in a metric.
OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Done:
    """What was done how often.

    Attributes:
        actor: who: ``planner``, ``webhook`` …; whoever used an API token is ``operator``.
    """

    actor: str
    verb: str
    reason: Reason
    count: int


def counted(conn: Connection, after: int, upto: int) -> tuple[Done, ...]:
    """What the events with ``after`` < seq <= ``upto`` say."""
    actor = case((events.c.actor.like("token:%"), literal_column(f"'{OPERATOR}'")), else_=events.c.actor)
    inner = (
        select(actor.label("actor"), events.c.verb, events.c.reason)
        .where(events.c.seq > after, events.c.seq <= upto)
        .subquery("recent")
    )
    keys = (inner.c.actor, inner.c.verb, inner.c.reason)
    query = select(*keys, func.count()).group_by(*keys).order_by(*keys)
    return tuple(Done(row[0], row[1], Reason(row[2]), int(row[3])) for row in conn.execute(query))


def seq_before(conn: Connection, since: float) -> int:
    """The highest seq that is older than every event at or after ``since`` (Unix seconds)."""
    lowest = func.min(events.c.seq)
    first = conn.execute(select(lowest).where(events.c.at >= since).order_by(lowest)).scalar_one_or_none()
    return revision(conn) if first is None else int(first) - 1
