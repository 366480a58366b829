"""What the doctor finds where ``fleet.database_url`` leads; nothing is made and nothing is changed there."""

from pathlib import Path

from sqlalchemy import Connection, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from runners.cli.doctor.facts import Database, Unread
from runners.store import migrate
from runners.store.engine import SQLITE, OpenStore, open_store
from runners.store.errors import StoreError
from runners.store.tables import boots, machines

_PROBE = "fly_gha_doctor_probe"
_NAME_ONE = "write sqlite:///PATH or postgresql://USER@HOST/NAME into fleet.database_url"


class _NothingHappened(Exception):
    """Rolls the probe back."""


async def database(url: str) -> Database | Unread:
    """The database as it is."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the latter of a port that is no number
        return Unread("fleet.database_url is not a URL", refused=True, next_step=_NAME_ONE)
    if parsed.drivername in SQLITE and not _is_there(parsed.database):
        return _not_yet(parsed.database or "")
    try:
        store = open_store(url)
    except StoreError as error:
        return Unread(str(error), refused=True)
    try:
        missing = await store.run(migrate.missing)
        writable = await _writable(store)
        created, images = ({}, frozenset[str]()) if missing else await store.run(_made)
        return Database(True, missing, writable, created, images)
    except StoreError as error:
        return Unread(str(error), refused=True)
    finally:
        await store.close()


def _made(conn: Connection) -> tuple[dict[str, float], frozenset[str]]:
    """What Fly has made for this fleet, as far as rows are kept."""
    made = (
        select(machines.c.app, func.max(machines.c.requested_at))
        .where(machines.c.fly_id.is_not(None))
        .group_by(machines.c.app)
        .order_by(machines.c.app)
    )
    ran = (
        select(machines.c.image)
        .join(boots, boots.c.machine_name == machines.c.name)
        .where(boots.c.started_at.is_not(None) | boots.c.ready_at.is_not(None))
        .distinct()
        .order_by(machines.c.image)
    )
    return {row[0]: row[1] for row in conn.execute(made)}, frozenset(conn.execute(ran).scalars())


async def _writable(store: OpenStore) -> bool:
    """Whether a table could be made; it is not."""

    def op(conn: Connection) -> None:
        conn.execute(text(f"CREATE TABLE {_PROBE} (probe INTEGER)"))
        raise _NothingHappened

    try:
        await store.run(op)
    except _NothingHappened:
        return True
    except (StoreError, SQLAlchemyError):
        return False
    return False


def _is_there(path: str | None) -> bool:
    return bool(path) and Path(path or "").exists()


def _not_yet(path: str) -> Database | Unread:
    folder = Path(path).absolute().parent
    if not folder.is_dir():
        return Unread(
            f"the folder {folder} is not there",
            refused=True,
            next_step=f"mkdir -p {folder}, or name another in fleet.database_url",
        )
    return Database(there=False)
