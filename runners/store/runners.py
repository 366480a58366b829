"""Runners: one registration each, for at most one job."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Select, func, literal, select, tuple_, union_all
from sqlalchemy import update as update_table

from runners.model.nouns import Runner
from runners.model.reason import Reason
from runners.model.states import RUNNER_MOVES, RunnerState
from runners.store import events, rows
from runners.store.tables import RUNNERS_LIVE, runners

_FIELDS = rows.fields_of(runners, Runner)


def insert(conn: Connection, runner: Runner, *, actor: str, reason: Reason, detail: str = "") -> None:
    """Commit the intent for one Runner, with a ``requested`` event. Its Machine's row must be there.

    Raises:
        sqlalchemy.exc.IntegrityError: the name was used before, or there is no such Machine.
    """
    rows.add(conn, runners, rows.values_of(runners, runner))
    events.append(
        conn,
        at=runner.requested_at,
        actor=actor,
        verb="requested",
        target=f"runner/{runner.name}",
        reason=reason,
        detail=detail,
    )


def get(conn: Connection, name: str) -> Runner | None:
    """The Runner of that name, or None."""
    return _first(conn, select(*_FIELDS).where(runners.c.name == name))


def live(conn: Connection) -> tuple[Runner, ...]:
    """Every Runner that is not gone, by request time."""
    query = select(*_FIELDS).where(RUNNERS_LIVE).order_by(runners.c.requested_at, runners.c.name)
    return _all(conn, query)


def by_machine(conn: Connection, machine_name: str) -> tuple[Runner, ...]:
    """Every Runner ever bound to a Machine, by request time."""
    query = (
        select(*_FIELDS)
        .where(runners.c.machine_name == machine_name)
        .order_by(runners.c.requested_at, runners.c.name)
    )
    return _all(conn, query)


def by_hook_token(conn: Connection, token_hash: str) -> Runner | None:
    """The Runner whose hook token has that hash, or None."""
    return _first(conn, select(*_FIELDS).where(runners.c.hook_token_hash == token_hash))


def page(
    conn: Connection,
    *,
    state: RunnerState | Collection[RunnerState] | None = None,
    pool: str | Collection[str] | None = None,
    after: str | None = None,
    limit: int = 100,
) -> tuple[Runner, ...]:
    """Up to ``limit`` Runners, newest request first; the next page begins ``after`` the last name.

    Each filter is one value or several; an empty collection matches nothing.
    """
    place = tuple_(runners.c.requested_at, runners.c.name)
    query = select(*_FIELDS).order_by(runners.c.requested_at.desc(), runners.c.name.desc()).limit(limit)
    if state is not None:
        query = query.where(runners.c.state.in_([state] if isinstance(state, str) else sorted(state)))
    if pool is not None:
        query = query.where(runners.c.pool.in_([pool] if isinstance(pool, str) else sorted(pool)))
    if after is not None:
        last = get(conn, after)
        if last is None:
            return ()
        query = query.where(place < tuple_(literal(last.requested_at), literal(last.name)))
    return _all(conn, query)


def count(
    conn: Connection,
    *,
    state: Collection[RunnerState] | None = None,
    pool: Collection[str] | None = None,
) -> int:
    """How many Runners ``page`` would give, page after page."""
    query = select(func.count()).select_from(runners).order_by(func.count())
    if state is not None:
        query = query.where(runners.c.state.in_(sorted(state)))
    if pool is not None:
        query = query.where(runners.c.pool.in_(sorted(pool)))
    return int(conn.execute(query).scalar_one())


def move(
    conn: Connection,
    name: str,
    to: RunnerState,
    *,
    at: float,
    actor: str,
    reason: Reason,
    detail: str = "",
    external_id: str = "",
    **fields: Any,
) -> bool:
    """Move a Runner as RUNNER_MOVES allows, with its event; sets state_at, reason, and gone_at when gone.

    Returns:
        False, without effect, when it is unknown or its state allows no such move.
    """
    rows.allow(runners, fields, reserved=("state", "state_at", "previous_state", "hook_token_hash"))
    values = {"state_at": at, "reason": reason} | fields
    if to is RunnerState.GONE:
        values.setdefault("gone_at", at)
    came_from = [state for state, ahead in RUNNER_MOVES.items() if to in ahead]
    return rows.move(
        conn,
        runners,
        name,
        to,
        came_from,
        at=at,
        actor=actor,
        reason=reason,
        detail=detail,
        external_id=external_id,
        values=values,
    )


def update(conn: Connection, name: str, **fields: Any) -> bool:
    """Set fields of a Runner other than its state. Returns False when it is unknown."""
    rows.allow(runners, fields, reserved=("hook_token_hash",))
    return rows.change(conn, runners, name, fields)


def set_hook_token(conn: Connection, name: str, token_hash: str | None) -> bool:
    """Replace the hash of a Runner's hook token; None ends it. Returns False when it is unknown."""
    statement = update_table(runners).where(runners.c.name == name).values(hook_token_hash=token_hash)
    return conn.execute(statement).rowcount == 1


def writes_since(conn: Connection, since: float) -> dict[str, tuple[float, ...]]:
    """By owner, when mints and DELETEs were sent since then, oldest first: what spends write budget."""
    parts = [
        select(runners.c.scope, sent.label("sent_at")).where(sent >= since)
        for sent in (runners.c.mint_sent_at, runners.c.delete_sent_at)
    ]
    both = union_all(*parts).subquery()
    query = select(both.c.scope, both.c.sent_at).order_by(both.c.sent_at, both.c.scope)
    times: dict[str, list[float]] = {}
    for scope, at in conn.execute(query):
        times.setdefault(scope.split("/")[1], []).append(at)
    return {owner: tuple(at) for owner, at in times.items()}


def _first(conn: Connection, query: Select[Any]) -> Runner | None:
    row = conn.execute(query.order_by(runners.c.name)).one_or_none()
    return None if row is None else Runner(*row)


def _all(conn: Connection, query: Select[Any]) -> tuple[Runner, ...]:
    return tuple(Runner(*row) for row in conn.execute(query))
