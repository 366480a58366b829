"""A copy of the SQLite database as one file, made while the dispatcher runs, and what such a file is worth.

SQLite's own backup reads one moment's state through the same locks as everybody else, so writers go on. The
copy is made, checked and brought to the disk under another name, and then linked to its own: a file of that
name is whole.
"""

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runners.store.errors import StoreError, StoreUnavailable

MODE = 0o600
# One row: whose copy it is. A restored database does not keep the table.
LABEL = "fly_gha_backup"
BUSY_TIMEOUT_S = 10.0


class BackupUnusable(StoreError):
    """The file is no whole database of this fleet, or one that this fly-gha does not know."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What is in one copy.

    Attributes:
        fleet: whose it is; None when nothing in it says so.
        made_at: when the copy was made, Unix seconds; None for a database file that is no backup.
        revision: of its tables.
        events: how many it has.
        last_event_at: when its newest event was, Unix seconds; None when it has none.
        size: bytes.
        machines: names of its Machines.
    """

    fleet: str | None
    made_at: float | None
    revision: str
    events: int
    last_event_at: float | None
    size: int
    machines: tuple[str, ...]


def make(database: Path, file: Path, fleet: str, now: float) -> Copy:
    """Copy ``database`` into ``file``, which must not exist yet.

    Raises:
        BackupUnusable: the copy does not pass its check; nothing is left.
        StoreUnavailable: the database cannot be read, or the file not be written.
    """
    what = f"back up {database} to {file}"
    if not is_file(database):
        raise StoreUnavailable(what, "there is no such database", "check fleet.database_url")
    if os.path.lexists(file):
        raise StoreUnavailable(what, f"{file} exists", "name another file; a backup replaces none")
    try:
        with beside(file) as partial:
            copy(database, partial)
            with contextlib.closing(sqlite3.connect(partial)) as conn, conn:
                # Nothing beside the file is needed to read it: no log, no index of one.
                conn.execute("PRAGMA journal_mode = DELETE")
                # A backup that somebody copied into the fleet's place by hand has the table of its own.
                conn.execute(f"DROP TABLE IF EXISTS {LABEL}")
                conn.execute(f"CREATE TABLE {LABEL} (fleet TEXT NOT NULL, made_at REAL NOT NULL)")
                conn.execute(f"INSERT INTO {LABEL} VALUES (?, ?)", (fleet, now))  # noqa: S608 - a constant
            found = look(partial)
            to_disk(partial)
            file.hardlink_to(partial)
            to_disk(file.parent)
            return found
    except (OSError, sqlite3.Error) as error:
        raise failed(what, error) from error


def look(file: Path) -> Copy:
    """Check a database file, and say what is in it; nothing is changed.

    Raises:
        BackupUnusable: it is damaged, of no fly-gha, or of a newer one.
        StoreUnavailable: it cannot be read.
    """
    what = f"use {file} as a backup"
    if not is_file(file):
        raise StoreUnavailable(what, "there is no such file", "name a file that `fly-gha backup` made")
    try:
        with contextlib.closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as conn:
            found = _inside(conn, file)
    except sqlite3.DatabaseError as error:
        next_step = "name a whole database file, such as `fly-gha backup` makes"
        raise BackupUnusable(what, str(error), next_step) from error
    return found


def _inside(conn: sqlite3.Connection, file: Path) -> Copy:
    what = f"use {file} as a backup"
    damage = [row[0] for row in conn.execute("PRAGMA integrity_check(1)")]
    if damage != ["ok"]:
        raise BackupUnusable(what, f"it is damaged: {damage[0]}", "use an older backup")
    tables = {row[0] for row in conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "events", "machines"} <= tables:
        raise BackupUnusable(what, "it is no database of fly-gha", "name a file that `fly-gha backup` made")
    revision = conn.execute("SELECT max(version_num) FROM alembic_version").fetchone()[0]
    if revision is None:
        raise BackupUnusable(what, "it does not say which tables it has", "use another backup")
    count, newest = conn.execute("SELECT count(*), max(at) FROM events").fetchone()
    fleet, made_at = None, None
    machines = tuple(row[0] for row in conn.execute("SELECT name FROM machines ORDER BY name"))
    if LABEL in tables:
        label = conn.execute(f"SELECT fleet, made_at FROM {LABEL}").fetchone()  # noqa: S608 - a constant
        if label is None or not isinstance(label[1], float):
            raise BackupUnusable(
                what, "its label does not say whose it is, and of when", "use another backup"
            )
        fleet, made_at = label
    return Copy(fleet, made_at, revision, count, newest, file.stat().st_size, machines)


def is_file(path: Path) -> bool:
    """Whether it is a file that can be reached; a name that is too long is none."""
    return os.path.isfile(path)  # noqa: PTH113 - of Path, only the newest asks without raising


def copy(source: Path, target: Path) -> None:
    """One moment's state of ``source``, whatever is being written to it. Raises sqlite3.Error."""
    with (
        contextlib.closing(sqlite3.connect(source, timeout=BUSY_TIMEOUT_S)) as reading,
        contextlib.closing(sqlite3.connect(target)) as writing,
    ):
        reading.backup(writing)


@contextlib.contextmanager
def beside(file: Path) -> Iterator[Path]:
    """A private, empty file in the same folder, gone in the end."""
    handle, name = tempfile.mkstemp(prefix=f".{file.name}-", suffix=".partial", dir=file.parent)
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
    finally:
        remove(partial)


def to_disk(path: Path) -> None:
    """See that a file, or what a folder lists, survives a power loss."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def failed(attempted: str, error: Exception) -> StoreUnavailable:
    """The error that says what a file or folder refused."""
    why = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return StoreUnavailable(attempted, why, "check that there is room, and that the folder may be written")


def remove(file: Path) -> None:
    """Remove a database file that nobody uses, and what SQLite put beside it."""
    for suffix in ("", "-wal", "-shm", "-journal"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
