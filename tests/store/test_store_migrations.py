"""Migrations: they build exactly the metadata, once, whoever runs them, and never touch a newer database."""

import ast
import asyncio
import sys
from functools import partial
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from store_samples import a_job, keep

from runners.store import jobs, migrate
from runners.store.errors import StoreNewer
from runners.store.tables import metadata

MIGRATOR = """
import asyncio, sys
from runners.store import migrate
from runners.store.engine import open_store

async def main():
    store = open_store(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    print(len(await store.migrate()), flush=True)
    await store.close()

asyncio.run(main())
"""


async def test_the_revisions_build_exactly_the_tables_of_the_metadata(empty_place):
    store = empty_place.open()
    await store.migrate()

    def differences(conn):
        context = MigrationContext.configure(
            conn, opts={"compare_type": True, "compare_server_default": True}
        )
        return compare_metadata(context, metadata)

    assert await store.run(differences) == []


async def test_partial_indices_and_checks_are_those_of_the_metadata_too(empty_place):
    """compare_metadata looks at neither, so each is read back from the database."""
    store = empty_place.open()
    await store.migrate()

    def read(conn):
        found = inspect(conn)
        partial_indices = {
            index["name"]
            for table in metadata.tables
            for index in found.get_indexes(table)
            if any(key.endswith("_where") for key in index.get("dialect_options", {}))
        }
        return partial_indices, [check["name"] for check in found.get_check_constraints("fleet")]

    assert await store.run(read) == ({"jobs_live", "machines_live", "runners_live"}, ["fleet_one_row"])


async def test_migrating_again_does_nothing_and_keeps_every_row(empty_place):
    store = empty_place.open()
    first = await store.migrate()
    await keep(store, a_job())
    assert first[-1] == migrate.newest()
    assert await store.migrate() == ()
    assert await store.run(jobs.live) == (a_job(),)


async def test_a_database_of_a_newer_program_is_refused_with_what_to_do(empty_place):
    store = empty_place.open()
    await store.migrate()
    await keep(store, a_job())
    await store.run(lambda conn: conn.execute(text("update alembic_version set version_num = '9999'")))

    with pytest.raises(StoreNewer, match=r"revision 9999.*run the newer fly-gha"):
        await store.migrate()

    assert await store.run(jobs.live) == (a_job(),)


async def test_a_migration_that_fails_leaves_the_database_as_it_was(empty_place):
    store = empty_place.open()

    def half(conn):
        migrate.upgrade(conn)
        raise RuntimeError("power went off")

    with pytest.raises(RuntimeError):
        await store.run(half)
    assert await store.run(lambda conn: inspect(conn).get_table_names()) == []
    assert await store.migrate() != ()


async def test_stores_of_one_process_migrating_at_once_do_it_once(empty_place):
    stores = [empty_place.open() for _ in range(4)]
    applied = await asyncio.gather(*(store.migrate() for store in stores))
    assert sorted(len(revisions) for revisions in applied) == [0, 0, 0, len(max(applied, key=len))]
    assert max(applied, key=len)[-1] == migrate.newest()


async def test_processes_migrating_at_once_do_it_once(shared_empty_place):
    spawn = partial(
        asyncio.create_subprocess_exec,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    children = [await spawn(sys.executable, "-c", MIGRATOR, shared_empty_place.url) for _ in range(2)]
    for child in children:
        assert await child.stdout.readline() == b"ready\n"
    answers = await asyncio.gather(*(child.communicate(b"\n") for child in children))
    assert [child.returncode for child in children] == [0, 0]
    assert sorted(int(out) > 0 for out, _ in answers) == [False, True]


def test_every_revision_file_takes_its_operations_as_an_argument():
    for path in sorted((migrate.REVISIONS / "versions").glob("r*.py")):
        tree = ast.parse(Path(path).read_text())
        (upgrade,) = [
            node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "upgrade"
        ]
        assert [arg.arg for arg in upgrade.args.args] == ["op"], path
        assert "from alembic import op" not in Path(path).read_text()
