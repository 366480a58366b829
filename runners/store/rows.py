"""What the modules of all tables do alike: compare-and-set moves with their event, updates, inserts."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sqlalchemy import Column, Connection, Table, insert, update
from sqlalchemy.dialects import postgresql, sqlite

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import events

State = JobState | MachineState | RunnerState


def fields_of(table: Table, noun: type) -> tuple[Column[Any], ...]:
    """The columns of a noun's own fields, in the order of its fields."""
    return tuple(table.c[name] for name in noun.__match_args__ if name in table.c)  # type: ignore[attr-defined]


def values_of(table: Table, noun: object) -> dict[str, Any]:
    """What a noun stores in its table."""
    return {column.name: getattr(noun, column.name) for column in fields_of(table, type(noun))}


def move(
    conn: Connection,
    table: Table,
    key: int | str,
    to: State,
    came_from: Iterable[State],
    *,
    at: float,
    actor: str,
    reason: Reason,
    detail: str,
    external_id: str,
    values: Mapping[str, Any],
) -> bool:
    """Move one row to ``to`` if it is in one of ``came_from``, with one event in the same transaction.

    The table's first column is its key. The event's target is ``job/…``, ``machine/…`` or ``runner/…``.

    Returns:
        False, without effect, when the row is not there or not in one of those states.
    """
    states = sorted(came_from)
    if not states:
        return False
    key_column = _key(table)
    statement = (
        update(table)
        .where(key_column == key, table.c.state.in_(states))
        .values(previous_state=table.c.state, state=to, **values)
        .returning(table.c.previous_state)
    )
    before = conn.execute(statement).scalar_one_or_none()
    if before is None:
        return False
    events.append(
        conn,
        at=at,
        actor=actor,
        verb="moved",
        target=f"{table.name.removesuffix('s')}/{key}",
        reason=reason,
        detail=f"{before} -> {to}: {detail}" if detail else f"{before} -> {to}",
        external_id=external_id,
    )
    return True


def change(conn: Connection, table: Table, key: int | str, fields: Mapping[str, Any]) -> bool:
    """Set fields that are not a state. Returns False when the row is not there.

    Raises:
        TypeError: a name is no field, or one that only a move or an insert may set.
    """
    allow(table, fields, reserved=("state", "state_at", "previous_state"))
    if not fields:
        return True
    return conn.execute(update(table).where(_key(table) == key).values(**fields)).rowcount == 1


def allow(table: Table, fields: Mapping[str, Any], reserved: Collection[str]) -> None:
    """Refuse names that are no column of ``table``, its key, or reserved.

    Raises:
        TypeError: naming them.
    """
    wrong = sorted(
        name
        for name in fields
        if name not in table.c or name in reserved or name in table.primary_key.columns
    )
    if wrong:
        raise TypeError(f"{', '.join(wrong)} cannot be set in {table.name} this way")


def insert_new(conn: Connection, table: Table, values: Mapping[str, Any]) -> bool:
    """Insert a row unless its primary key is there already. Returns whether it was inserted."""
    keys = list(table.primary_key.columns)
    if conn.dialect.name == "postgresql":
        statement: Any = postgresql.insert(table).on_conflict_do_nothing(index_elements=keys)
    else:
        statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=keys)
    return conn.execute(statement.values(**values)).rowcount == 1


def put(conn: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row, or set these values in the one with its primary key."""
    if insert_new(conn, table, values):
        return
    keys = [column.name for column in table.primary_key.columns]
    matches = [table.c[name] == values[name] for name in keys]
    rest = {name: value for name, value in values.items() if name not in keys}
    conn.execute(update(table).where(*matches).values(**rest))


def add(conn: Connection, table: Table, values: Mapping[str, Any]) -> None:
    """Insert a row whose key was never used.

    Raises:
        sqlalchemy.exc.IntegrityError: it was; names are never reused.
    """
    conn.execute(insert(table), dict(values))


def _key(table: Table) -> Column[Any]:
    return next(iter(table.primary_key.columns))
