"""What operators override at run time, per pool and for the fleet. None leaves the setting in force."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from runners.store import rows
from runners.store.tables import fleet, pools

_FLEET_ROW = 1


@dataclass(frozen=True, slots=True)
class PoolOverride:
    """The overridden settings of one pool, named as in PoolSettings; None is not overridden.

    ``revision`` is the seq of the operator's event that changed any of them last, None before the first.
    """

    drained: bool | None = None
    max_machines: int | None = None
    ready: int | None = None
    stopped: int | None = None
    revision: int | None = None


_FIELDS = rows.fields_of(pools, PoolOverride)


def overrides(conn: Connection) -> dict[str, PoolOverride]:
    """The overrides by pool, for pools that were ever overridden, in order of their names."""
    query = select(pools.c.pool, *_FIELDS).order_by(pools.c.pool)
    return {row[0]: PoolOverride(*row[1:]) for row in conn.execute(query)}


def set_override(conn: Connection, pool: str, **fields: Any) -> None:
    """Set the given fields of a pool's override; a field given as None leaves the setting in force again.

    Raises:
        TypeError: a name is no field of PoolOverride.
    """
    rows.allow(pools, fields, reserved=())
    rows.put(conn, pools, {"pool": pool, **fields})


def fleet_paused(conn: Connection) -> bool | None:
    """Whether an operator paused (True) or resumed (False) the fleet; None: ``fleet.paused`` is in force."""
    query = select(fleet.c.paused).where(fleet.c.id == _FLEET_ROW).order_by(fleet.c.id)
    return conn.execute(query).scalar_one_or_none()


def set_fleet_paused(conn: Connection, paused: bool | None) -> None:
    """Override ``fleet.paused``; None leaves the setting in force again."""
    rows.put(conn, fleet, {"id": _FLEET_ROW, "paused": paused})
