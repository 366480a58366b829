"""Apply the Alembic revisions in code, in one transaction, safely from several processes at once.

No ini file, no env.py and no ``alembic.op`` proxy: those keep state in modules, and two stores of one process
may migrate at the same time. Each revision gets its Operations as an argument instead.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from runners.store.connections import take_writer_lock
from runners.store.errors import StoreNewer

REVISIONS = Path(__file__).parent / "migrations"


def upgrade(conn: Connection) -> tuple[str, ...]:
    """Bring the database to the newest revision; nothing happens when it is there.

    The transaction is the only writer from here to its end, so a second process waits and then finds the
    work done. All revisions of one call succeed or none does, on both databases.

    Returns:
        the revisions applied, oldest first.

    Raises:
        StoreNewer: the database is at a revision that this program does not know.
    """
    take_writer_lock(conn)
    script = ScriptDirectory(str(REVISIONS))
    applied: list[str] = []

    def steps(heads: tuple[str, ...], _context: MigrationContext) -> Iterable[RevisionStep]:
        missing = _missing(script, heads)
        applied.extend(missing)
        return [
            MigrationStep.upgrade_from_script(script.revision_map, script.get_revision(revision))
            for revision in missing
        ]

    options: dict[str, Any] = {"fn": steps, "transactional_ddl": True}
    context = MigrationContext.configure(conn, opts=options)
    context.run_migrations(op=Operations(context))
    return tuple(applied)


def missing(conn: Connection) -> tuple[str, ...]:
    """The revisions that ``upgrade`` would apply, oldest first; nothing is changed.

    Raises:
        StoreNewer: as ``upgrade`` does.
    """
    heads = MigrationContext.configure(conn).get_current_heads()
    return tuple(_missing(ScriptDirectory(str(REVISIONS)), heads))


def newest() -> str:
    """The revision this program's tables belong to."""
    head = ScriptDirectory(str(REVISIONS)).get_current_head()
    if head is None:
        raise AssertionError(f"no revisions in {REVISIONS}: the installation is incomplete")
    return head


def _missing(script: ScriptDirectory, heads: tuple[str, ...]) -> list[str]:
    known = [revision.revision for revision in script.walk_revisions()]
    unknown = sorted(set(heads) - set(known))
    if unknown:
        raise StoreNewer(
            attempted="migrate the database",
            why=f"it is at revision {', '.join(unknown)}, and this fly-gha knows revisions up to {known[0]}",
            next_step="run the newer fly-gha that migrated it, or restore a backup made before that",
        )
    done = known.index(heads[0]) if heads else len(known)
    return list(reversed(known[:done]))
