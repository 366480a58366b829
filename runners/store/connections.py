"""Engines for SQLite and PostgreSQL, set up so that an operation means the same on both.

One writer at a time, in commit order. SQLite gives that by ``BEGIN IMMEDIATE``. On PostgreSQL the first
INSERT, UPDATE or DELETE of a transaction takes one advisory lock until its end; readers never wait. So an
event's seq is also its place in commit order (a reader's cursor misses nothing, the revision only grows), and
row locks cannot deadlock, since the advisory lock always comes first.

SQLite runs in WAL mode with ``synchronous=FULL``. A commit survives SIGKILL of the process with any
setting, because written pages belong to the kernel by then. FULL adds an fsync, a quarter of a millisecond
on a local SSD, so that a committed intent also survives a power loss, as far as the disk keeps what it
acknowledged. Were it lost, a sweep would meet a busy Machine without a row.
"""

import contextlib
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, UpdateBase, create_engine, event, func, select
from sqlalchemy.engine import URL
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

# Another process may hold SQLite's write lock this long before an operation fails.
BUSY_TIMEOUT_S = 10.0
# One connection: SQLite serializes transactions anyway, and the pool's queue is fair where its lock is not.
SQLITE_CONNECTIONS = 1
MEMORY = ":memory:"
# RETURNING came with this version.
SQLITE_OLDEST = (3, 35, 0)

POSTGRESQL_CONNECTIONS = 10
CONNECT_TIMEOUT_S = 10.0
STATEMENT_TIMEOUT_S = 30.0
# Waiting for a free connection, which other operations give back within milliseconds.
POOL_TIMEOUT_S = 30.0
# Any constant will do, as long as every dispatcher on one database uses the same ("flygha" in ASCII).
WRITER_LOCK = 0x666C79676861

_HOLDS_WRITER_LOCK = "fly_gha_holds_writer_lock"


def sqlite_engine(url: URL) -> Engine:
    """A synchronous SQLite engine; whoever uses it stays on one thread."""
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite"),
        poolclass=QueuePool,
        pool_size=SQLITE_CONNECTIONS,
        max_overflow=0,
        hide_parameters=True,
    )
    _prepare_sqlite(engine)
    return engine


def async_postgresql_engine(url: URL) -> AsyncEngine:
    """An asyncpg engine at READ COMMITTED whose writers go one after the other."""
    # libpq's spelling, which platforms hand out, is not asyncpg's.
    query = {("ssl" if key == "sslmode" else key): value for key, value in url.query.items()}
    engine = create_async_engine(
        url.set(drivername="postgresql+asyncpg", query=query),
        pool_size=POSTGRESQL_CONNECTIONS,
        max_overflow=0,
        pool_timeout=POOL_TIMEOUT_S,
        # Replaces a dead connection before an operation begins; an operation itself is never repeated.
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={
            "timeout": CONNECT_TIMEOUT_S,
            "command_timeout": STATEMENT_TIMEOUT_S,
            "server_settings": {"application_name": "fly-gha"},
        },
    )
    sync = engine.sync_engine
    event.listen(sync, "begin", _forget_writer_lock)
    event.listen(sync, "rollback_savepoint", _forget_writer_lock)
    event.listen(sync, "before_execute", _lock_before_first_write)
    return engine


def create_private_file(url: URL) -> None:
    """Create the SQLite file, in WAL mode and with mode 0600: it holds token hashes and sealed registrations.

    A file that exists is left as it is. The new one is made under another name and then linked: of several
    connections that switch a file to WAL at the same moment one may fail with "database is locked", whatever
    its busy_timeout; a file that is born in WAL mode needs no switch.

    Raises:
        OSError: the directory is missing or not writable.
    """
    if not url.database or url.database == MEMORY:
        return
    path = Path(url.database)
    if path.exists():
        return
    with tempfile.NamedTemporaryFile(prefix=f"{path.name}-", dir=path.parent) as new:
        connection = sqlite3.connect(new.name)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(new.name)


def take_writer_lock(conn: Connection) -> None:
    """Make this transaction the one writer until it ends; SQLite's is that from its begin.

    An operation that acts on what it has read calls it first: what it reads then stays true until its end.
    The lock that the first write takes by itself comes too late for that.
    """
    if conn.dialect.name == "postgresql" and not conn.info.get(_HOLDS_WRITER_LOCK):
        conn.execute(select(func.pg_advisory_xact_lock(WRITER_LOCK)))
        conn.info[_HOLDS_WRITER_LOCK] = True


def sqlite_is_new_enough() -> bool:
    """Whether this Python's SQLite has what the operations use."""
    return sqlite3.sqlite_version_info >= SQLITE_OLDEST


def _prepare_sqlite(engine: Engine) -> None:
    event.listen(engine, "connect", _set_up_sqlite_connection)
    event.listen(engine, "begin", _begin_immediate)


def _set_up_sqlite_connection(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # SQLAlchemy's recipe for real transactions: the driver begins nothing by itself, _begin_immediate does.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000)}")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_immediate(conn: Connection) -> None:
    # A deferred transaction that reads and then writes can fail at once with "database is locked".
    conn.exec_driver_sql("BEGIN IMMEDIATE")


def _forget_writer_lock(conn: Connection, *_details: Any) -> None:
    conn.info.pop(_HOLDS_WRITER_LOCK, None)


def _lock_before_first_write(conn: Connection, statement: Any, *_details: Any) -> None:
    if isinstance(statement, UpdateBase):
        take_writer_lock(conn)
