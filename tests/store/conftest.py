"""One set of tests over three stores: SQLite on its thread, SQLite inline, and a real PostgreSQL server."""

import asyncio
import contextlib
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from store_promises import promises_kept

from runners.store.engine import AsyncStore, InlineStore, open_store
from runners.store.tables import metadata
from tests.postgres import Postgres, launch

KINDS = ("sqlite", "inline", "postgresql")
# Where several connections can be at work at once.
CONCURRENT_KINDS = ("sqlite", "postgresql")


@dataclass
class Place:
    """A database of one kind; every ``open`` is another store on it, as another process would have."""

    kind: str
    url: str
    make: Callable[[], AsyncStore | InlineStore]
    opened: list = field(default_factory=list)

    def open(self):
        store = self.make()
        self.opened.append(store)
        return store

    async def close(self):
        for store in self.opened:
            await store.close()


@pytest.fixture(scope="session")
def postgres(request):
    with launch() as server:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            sys.stderr.write(f"\nstore suite: {server.sql('select version()')}\n")
        yield server


@pytest.fixture(scope="session")
def migrated_postgres(postgres: Postgres) -> Postgres:
    asyncio.run(_migrate(open_store(postgres.url())))
    return postgres


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("template") / "store.db"
    asyncio.run(_migrate(InlineStore(str(path))))
    return path


@pytest.fixture
def make_place(migrated_sqlite, migrated_postgres, tmp_path):
    """Places with the newest tables and no rows."""

    def make(kind: str) -> Place:
        if kind == "postgresql":
            server = migrated_postgres
            tables = ", ".join(sorted(metadata.tables))
            server.sql(f"truncate {tables} restart identity cascade")
            return Place(kind, server.url(), lambda: open_store(server.url()))
        path = tmp_path / "store.db"
        shutil.copy(migrated_sqlite, path)
        return _sqlite_place(kind, path)

    return make


@pytest.fixture(params=KINDS)
async def place(request, make_place):
    """A migrated database of each kind, without rows."""
    place = make_place(request.param)
    yield place
    await place.close()


@pytest.fixture(params=CONCURRENT_KINDS)
async def shared_place(request, make_place):
    """A migrated database of each kind that several connections can use at once."""
    place = make_place(request.param)
    yield place
    await place.close()


@pytest.fixture
def make_empty_place(postgres, tmp_path):
    """Databases without any table."""

    def make(kind: str) -> Place:
        if kind != "postgresql":
            return _sqlite_place(kind, tmp_path / "empty.db")
        name = re.sub(r"\W", "_", tmp_path.name).lower()
        postgres.sql(f"create database {name}")
        return Place(kind, postgres.url(name), lambda: open_store(postgres.url(name)))

    return make


@pytest.fixture(params=KINDS)
async def empty_place(request, make_empty_place):
    """A database of each kind without any table."""
    place = make_empty_place(request.param)
    yield place
    await place.close()


@pytest.fixture(params=CONCURRENT_KINDS)
async def shared_empty_place(request, make_empty_place):
    """A database without any table, of each kind that several connections can use at once."""
    place = make_empty_place(request.param)
    yield place
    await place.close()


@pytest.fixture
def store(place):
    """A store of each kind. Every statement it sends is held to the suite's promises."""
    with promises_kept():
        yield place.open()


def _sqlite_place(kind: str, path: Path) -> Place:
    url = f"sqlite:///{path}"
    return Place(
        kind, url, (lambda: InlineStore(str(path))) if kind == "inline" else (lambda: open_store(url))
    )


async def _migrate(store) -> None:
    await store.migrate()
    await store.close()
