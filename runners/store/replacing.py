"""Another SQLite database in the place of the fleet's: a backup that is restored.

It is prepared beside the one it replaces, checked and brought to the newest revision. It takes its place when
nobody has the old one open: at once, or when the dispatcher starts the next time. What its rows promised is
taken back then (``restored``), and the old database is kept under another name.
"""

import contextlib
import re
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, inspect

from runners.store import migrate
from runners.store.backup import LABEL, BackupUnusable, Copy, beside, copy, failed, look, to_disk
from runners.store.engine import SQLITE, InlineStore, known_url
from runners.store.errors import StoreError, StoreUnavailable
from runners.store.restored import TakenBack, take_back
from runners.store.tables import metadata
from runners.wire.times import rfc3339

PENDING = ".restore"
_ASK_S = 0.5


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a restore.

    Attributes:
        copy: what was put in place.
        kept: the database that was there before; None when there was none.
        taken: what the rows promised and no longer do.
    """

    copy: Copy
    kept: Path | None
    taken: TakenBack


def database_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for another kind of database, or one in memory.

    Raises:
        StoreUnavailable: it is no URL of a database that a fleet may have.
    """
    parsed = known_url(url)
    in_a_file = parsed.drivername in SQLITE and parsed.database not in (None, "", ":memory:")
    return Path(str(parsed.database)) if in_a_file else None


def pending(database: Path) -> Path:
    """Where a prepared database waits for the dispatcher's next start."""
    return database.with_name(database.name + PENDING)


def check(file: Path, fleet: str) -> Copy:
    """What is in ``file``, if it is a whole database of this fleet.

    Raises:
        BackupUnusable: it is damaged, of no fly-gha, or of another fleet.
        StoreUnavailable: it cannot be read.
    """
    found = look(file)
    _check_fleet(file, found, fleet)
    return found


def prepare(file: Path, database: Path, fleet: str) -> Copy:
    """Put a checked copy of ``file``, at the newest revision, where ``pending`` says; an older one goes.

    Raises:
        BackupUnusable: it is damaged, of no fly-gha, or of another fleet.
        StoreNewer: a newer fly-gha made it.
        StoreUnavailable: it cannot be read, or the folder not be written.
    """
    found = check(file, fleet)
    try:
        with beside(database) as partial:
            copy(file, partial)
            store = InlineStore(str(partial))
            try:
                store.transact(migrate.upgrade)
                lacking = store.transact(_lacking)
            finally:
                store.dispose()
            if lacking:
                why = f"it lacks the tables {', '.join(lacking)}"
                raise BackupUnusable(f"restore {file}", why, "use another backup")
            settle(partial)
            partial.replace(pending(database))
            to_disk(database.parent)
    except (OSError, sqlite3.Error) as error:
        raise failed(f"restore {file}", error) from error
    return found


def place(database: Path, now: float) -> Replaced:
    """Put what is pending in the place of ``database``; at every moment there is a whole one under the name.

    A crash before the last step leaves the old one in place, and what is pending for the next try.

    Raises:
        BackupUnusable: what is pending is damaged.
        StoreUnavailable: somebody has the database open, or the folder cannot be written.
    """
    waiting = pending(database)
    try:
        found = look(waiting)
    except StoreError as error:
        # Else the dispatcher, which calls this first of all, would not start again.
        next_step = f"remove {waiting} to go on with the database that is there, or prepare another restore"
        raise BackupUnusable(error.attempted, error.why, next_step) from error
    there = database.exists()
    if there:
        settle_if_whole(database)
    revoked = _revoked_tokens(database) if there else {}
    store = InlineStore(str(waiting))
    try:
        taken = store.transact(lambda conn: take_back(conn, now, revoked, _said(found)))
        store.transact(lambda conn: conn.exec_driver_sql(f"DROP TABLE IF EXISTS {LABEL}"))
    finally:
        store.dispose()
    settle(waiting)
    kept = _free_name(database, now) if there else None
    try:
        if kept is not None:
            kept.hardlink_to(database)
            for suffix in ("-wal", "-shm"):
                # What a damaged database could not take in must not be taken for a part of the new one.
                left = database.with_name(database.name + suffix)
                if left.exists():
                    left.replace(kept.with_name(kept.name + suffix))
        waiting.replace(database)
        to_disk(database.parent)
    except OSError as error:
        raise failed(f"put {waiting} in the place of {database}", error) from error
    return Replaced(found, kept, taken)


def settle(database: Path) -> None:
    """Put all of a database that nobody uses into its one file, on the disk.

    Raises:
        StoreUnavailable: somebody has it open.
        sqlite3.DatabaseError: it is damaged.
    """
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=_ASK_S)) as conn:
            # Leaving WAL mode takes every lock there is: SQLite refuses while another connection is open.
            conn.execute("PRAGMA journal_mode = DELETE")
    except sqlite3.OperationalError as error:
        why = "a dispatcher, or another process, has it open" if "locked" in str(error) else str(error)
        next_step = "stop the dispatcher first, or let it be done at its next start"
        raise StoreUnavailable(f"take {database} out of use", why, next_step) from error
    to_disk(database)


def settle_if_whole(database: Path) -> None:
    """Settle it, unless it is damaged, which may be why it is replaced.

    Raises:
        StoreUnavailable: somebody has it open.
    """
    try:
        settle(database)
    except sqlite3.DatabaseError:
        return


def _lacking(conn: Connection) -> list[str]:
    """The tables that this fly-gha needs and the database does not have, whatever its revision says."""
    return sorted(set(metadata.tables) - set(inspect(conn).get_table_names()))


def _check_fleet(file: Path, found: Copy, fleet: str) -> None:
    other = found.fleet if found.fleet != fleet else None
    if found.fleet is None:
        # A database file that is no backup: the names in it tell whose it is.
        other = next((name for name in found.machines if not name.startswith(f"{fleet}-")), None)
    if other is not None:
        why = f"it is of another fleet ({other}), and fleet.name is {fleet!r}"
        raise BackupUnusable(f"restore {file}", why, "use this fleet's backup; two fleets never share rows")


def _revoked_tokens(database: Path) -> dict[str, float]:
    """By id, when API tokens were revoked, as far as the database can be read: none when it cannot."""
    try:
        with contextlib.closing(sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            rows = conn.execute("SELECT id, revoked_at FROM tokens WHERE revoked_at IS NOT NULL ORDER BY id")
            return dict(rows.fetchall())
    except sqlite3.Error:
        return {}


def _free_name(database: Path, now: float) -> Path:
    stem = f"{database.name}.replaced-{re.sub('[^0-9TZ]', '', rfc3339(now))}"
    names = (stem if number == 1 else f"{stem}-{number}" for number in range(1, 1000))
    return next(path for path in (database.with_name(name) for name in names) if not path.exists())


def _said(found: Copy) -> str:
    if found.made_at is None:
        return "a database file without a label was put in place"
    return f"the backup of {rfc3339(found.made_at)} was put in place"
