"""``Store.run(op)``: one operation, one transaction, all or nothing.

An operation is a function of a synchronous Connection, so the same code runs in production (AsyncStore, over
aiosqlite or asyncpg) and under virtual time (InlineStore, no threads, no awaiting).
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    OperationalError,
    SQLAlchemyError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from runners.store import connections, migrate
from runners.store.errors import StoreUnavailable

T = TypeVar("T")

SQLITE = frozenset({"sqlite"})
POSTGRESQL = frozenset({"postgresql", "postgres"})


class Store(Protocol):
    """Where operations run."""

    async def run(self, op: Callable[[Connection], T]) -> T:
        """Run ``op`` in one transaction and return what it returns.

        When ``op`` raises, everything it did is rolled back and the exception comes out as it is. Nothing is
        ever run twice. ``op`` does no I/O of its own and keeps no Connection.

        Raises:
            StoreUnavailable: the database cannot be reached, stayed locked, or broke off.
        """
        ...


class AsyncStore:
    """A store on an AsyncEngine; made by ``open_store``."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._where = engine.url.render_as_string(hide_password=True)
        self._open: set[asyncio.Task[object]] = set()

    async def run(self, op: Callable[[Connection], T]) -> T:
        """Run ``op`` in one transaction; see Store.run.

        A cancelled caller gets its CancelledError once the transaction is over: it has then committed or
        rolled back as if nobody had been cancelled, and never goes on behind the caller's back.
        """
        transaction = asyncio.ensure_future(self._transact(op))
        self._open.add(transaction)
        transaction.add_done_callback(self._open.discard)
        try:
            return await asyncio.shield(transaction)
        except asyncio.CancelledError:
            await asyncio.wait({transaction})
            if not transaction.cancelled():
                transaction.exception()  # looked at, so that asyncio does not call it forgotten
            raise

    async def migrate(self) -> tuple[str, ...]:
        """Bring the database to the newest revision; safe from several processes at once.

        Returns:
            the revisions applied, oldest first.

        Raises:
            StoreNewer: a newer fly-gha has migrated it.
            StoreUnavailable: see run.
        """
        return await self.run(migrate.upgrade)

    async def close(self) -> None:
        """Let running transactions end, then close every connection."""
        while self._open:
            await asyncio.wait(set(self._open))
        await self._engine.dispose()

    async def _transact(self, op: Callable[[Connection], T]) -> T:
        conn = await self._connect()
        try:
            async with conn.begin():
                return await conn.run_sync(op)
        except (DBAPIError, PoolTimeout, OSError) as exc:
            if not _is_about_the_database(exc):
                raise
            raise _unavailable("run an operation on", self._where, exc) from exc
        finally:
            await conn.close()

    async def _connect(self) -> AsyncConnection:
        try:
            return await self._engine.connect()
        except Exception as exc:  # drivers raise their own types here; each means: no connection
            raise _unavailable("connect to", self._where, exc) from exc


class InlineStore:
    """A store on SQLite that runs operations in place: for virtual time, where nothing may wait or switch.

    Args:
        path: the database file, or None for one in memory that lives as long as this store.

    Raises:
        StoreUnavailable: the file cannot be made.
    """

    def __init__(self, path: str | None = None) -> None:
        url = URL.create("sqlite", database=path or connections.MEMORY)
        self._where = url.render_as_string()
        _create_file(url)
        self._engine = connections.sqlite_engine(url)

    async def run(self, op: Callable[[Connection], T]) -> T:
        """Run ``op`` in one transaction, without awaiting anything; see Store.run."""
        try:
            with self._engine.begin() as conn:
                return op(conn)
        except (DBAPIError, PoolTimeout) as exc:
            if not _is_about_the_database(exc):
                raise
            raise _unavailable("run an operation on", self._where, exc) from exc

    async def migrate(self) -> tuple[str, ...]:
        """Bring the database to the newest revision; see AsyncStore.migrate."""
        return await self.run(migrate.upgrade)

    async def close(self) -> None:
        """Close the connection; a database in memory is gone then."""
        self._engine.dispose()


def open_store(url: str) -> AsyncStore:
    """Open ``sqlite:///PATH`` or ``postgresql://USER@HOST/NAME``; the first operation connects.

    Raises:
        StoreUnavailable: the URL names no such database, or the SQLite file cannot be made.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as exc:
        raise _wrong_url("it is not a URL") from exc
    if parsed.drivername in POSTGRESQL:
        return AsyncStore(connections.async_postgresql_engine(parsed))
    if parsed.drivername not in SQLITE:
        raise _wrong_url(f"{parsed.drivername!r} is not supported")
    _create_file(parsed)
    return AsyncStore(connections.async_sqlite_engine(parsed))


def _create_file(url: URL) -> None:
    where = url.render_as_string()
    if not connections.sqlite_is_new_enough():
        raise StoreUnavailable(f"open {where}", "this Python's SQLite is too old", "use SQLite 3.35 or newer")
    try:
        connections.create_private_file(url)
    except (OSError, sqlite3.Error) as exc:
        raise _unavailable("create", where, exc) from exc


def _is_about_the_database(exc: Exception) -> bool:
    """Whether the database failed, and not what the operation asked of it."""
    if isinstance(exc, DBAPIError):
        return isinstance(exc, OperationalError | InterfaceError) or exc.connection_invalidated
    return True


def _unavailable(attempted: str, where: str, exc: Exception) -> StoreUnavailable:
    cause = exc.orig if isinstance(exc, DBAPIError) and exc.orig is not None else exc
    # The first line only: what follows are statements and hints.
    text = "" if _may_quote(cause) else next(iter(str(cause).splitlines()), "").strip()
    next_step = (
        "check that the directory exists and is writable, and that no other process holds the file"
        if where.startswith("sqlite")
        else "check that the server runs, that fleet.database_url names it, and that the user may connect"
    )
    return StoreUnavailable(f"{attempted} {where}", text or type(cause).__name__, next_step)


def _may_quote(cause: BaseException) -> bool:
    """Whether the text of this error might quote statement parameters: SQLAlchemy's own would."""
    return isinstance(cause, SQLAlchemyError) and not isinstance(cause, PoolTimeout)


def _wrong_url(why: str) -> StoreUnavailable:
    return StoreUnavailable(
        "open the database that fleet.database_url names",
        why,
        "write sqlite:///PATH or postgresql://USER@HOST/NAME",
    )
