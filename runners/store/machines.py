"""Machines and their Boots: our intent for, and knowledge of, each Fly Machine."""

from typing import Any

from sqlalchemy import Connection, Row, and_, select
from sqlalchemy import insert as insert_into
from sqlalchemy import update as update_table

from runners.model.nouns import Boot, Machine
from runners.model.reason import Reason
from runners.model.states import MACHINE_MOVES, MachineState
from runners.store import events, rows
from runners.store.tables import MACHINES_LIVE, machines
from runners.store.tables import boots as boot_rows

_FIELDS = rows.fields_of(machines, Machine)
_NAMES = tuple(column.name for column in _FIELDS)
_BOOT_FIELDS = rows.fields_of(boot_rows, Boot)
# A Machine that received a registration is never started again; a ready one runs already.
_MAY_BOOT = (MachineState.CREATING, MachineState.STARTING, MachineState.STOPPED)

_WITH_LATEST_BOOT = select(*_FIELDS, *_BOOT_FIELDS).select_from(
    machines.outerjoin(
        boot_rows, and_(boot_rows.c.machine_name == machines.c.name, boot_rows.c.seq == machines.c.last_boot)
    )
)


def insert(conn: Connection, machine: Machine, *, actor: str, reason: Reason, detail: str = "") -> None:
    """Commit the intent for one Machine (and its Boot, if it has one), with a ``requested`` event.

    Raises:
        sqlalchemy.exc.IntegrityError: the name was used before; names are never reused.
    """
    last_boot = machine.boot.seq if machine.boot is not None else 0
    rows.add(conn, machines, rows.values_of(machines, machine) | {"last_boot": last_boot})
    if machine.boot is not None:
        rows.add(conn, boot_rows, rows.values_of(boot_rows, machine.boot))
    events.append(
        conn,
        at=machine.requested_at,
        actor=actor,
        verb="requested",
        target=f"machine/{machine.name}",
        reason=reason,
        detail=detail,
    )


def get(conn: Connection, name: str) -> Machine | None:
    """The Machine of that name with its latest Boot, or None."""
    row = conn.execute(
        _WITH_LATEST_BOOT.where(machines.c.name == name).order_by(machines.c.name)
    ).one_or_none()
    return None if row is None else _machine(row)


def live(conn: Connection) -> tuple[Machine, ...]:
    """Every Machine that is not gone with its latest Boot, by request time."""
    query = _WITH_LATEST_BOOT.where(MACHINES_LIVE).order_by(machines.c.requested_at, machines.c.name)
    return tuple(_machine(row) for row in conn.execute(query))


def move(
    conn: Connection,
    name: str,
    to: MachineState,
    *,
    at: float,
    actor: str,
    reason: Reason,
    detail: str = "",
    external_id: str = "",
    **fields: Any,
) -> bool:
    """Move a Machine as MACHINE_MOVES allows, with its event; sets state_at, reason, and gone_at when gone.

    Returns:
        False, without effect, when it is unknown or its state allows no such move.
    """
    rows.allow(machines, fields, reserved=("state", "state_at", "previous_state", "last_boot"))
    values = {"state_at": at, "reason": reason} | fields
    if to is MachineState.GONE:
        values.setdefault("gone_at", at)
    came_from = [state for state, ahead in MACHINE_MOVES.items() if to in ahead]
    return rows.move(
        conn,
        machines,
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
    """Set fields of a Machine other than its state. Returns False when it is unknown."""
    rows.allow(machines, fields, reserved=("last_boot",))
    return rows.change(conn, machines, name, fields)


def adopt(conn: Connection, name: str, fly_id: str) -> bool:
    """Bind the row to Fly's id. Returns False when it is unknown or bound to another id."""
    statement = (
        update_table(machines)
        .where(machines.c.name == name, machines.c.fly_id.is_(None) | (machines.c.fly_id == fly_id))
        .values(fly_id=fly_id)
    )
    return conn.execute(statement).rowcount == 1


def begin_boot(conn: Connection, name: str, at: float) -> int:
    """Commit the intent to start a Machine, as its next Boot.

    Returns:
        the Boot's seq, 1 for the first; 0, without effect, when the Machine is unknown or in a state from
        which it may not be started (ready, bound or gone).
    """
    statement = (
        update_table(machines)
        .where(machines.c.name == name, machines.c.state.in_(_MAY_BOOT))
        .values(last_boot=machines.c.last_boot + 1)
        .returning(machines.c.last_boot)
    )
    seq = conn.execute(statement).scalar_one_or_none()
    if seq is None:
        return 0
    conn.execute(insert_into(boot_rows), {"machine_name": name, "seq": seq, "launched_at": at})
    return int(seq)


def update_boot(conn: Connection, name: str, seq: int, **fields: Any) -> bool:
    """Set fields of one Boot. Returns False when there is no such Boot."""
    rows.allow(boot_rows, fields, reserved=())
    if not fields:
        return True
    statement = (
        update_table(boot_rows)
        .where(boot_rows.c.machine_name == name, boot_rows.c.seq == seq)
        .values(**fields)
    )
    return conn.execute(statement).rowcount == 1


def boots(conn: Connection, name: str) -> tuple[Boot, ...]:
    """Every Boot of a Machine, first to last."""
    query = select(*_BOOT_FIELDS).where(boot_rows.c.machine_name == name).order_by(boot_rows.c.seq)
    return tuple(Boot(*row) for row in conn.execute(query))


def creates_since(conn: Connection, since: float) -> dict[str, tuple[float, ...]]:
    """By app, when Machines were requested since then, oldest first: what spends create budget."""
    query = (
        select(machines.c.app, machines.c.requested_at)
        .where(machines.c.requested_at >= since)
        .order_by(machines.c.requested_at, machines.c.name)
    )
    times: dict[str, list[float]] = {}
    for app, at in conn.execute(query):
        times.setdefault(app, []).append(at)
    return {app: tuple(at) for app, at in times.items()}


def _machine(row: Row[Any]) -> Machine:
    own, latest = row[: len(_FIELDS)], row[len(_FIELDS) :]
    boot = Boot(*latest) if latest[0] is not None else None
    return Machine(**dict(zip(_NAMES, own, strict=True)), boot=boot)
