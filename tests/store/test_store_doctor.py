"""What the doctor finds in a database, and that it leaves nothing behind there."""

import pytest
from sqlalchemy import text
from store_samples import a_boot, a_machine, keep

from runners.cli.doctor.facts import Database, Unread
from runners.cli.doctor.gather_store import database
from runners.store import migrate

BOTH = pytest.mark.parametrize("kind", ["sqlite", "postgresql"])


@BOTH
async def test_a_database_with_the_newest_tables_is_well_and_nothing_is_left_in_it(make_place, kind):
    place = make_place(kind)
    store = place.open()
    made = a_machine(requested_at=7.0, fly_id="1234", boot=a_boot(started_at=8.0))
    await keep(store, made, a_machine("m-2", app="app-b"))
    found = await database(place.url)
    assert found == Database(True, (), True, {"app-a": 7.0}, frozenset({made.image}))
    with pytest.raises(Exception, match="probe"):
        await store.run(lambda conn: conn.execute(text("SELECT probe FROM fly_gha_doctor_probe")))
    await place.close()


@BOTH
async def test_a_database_of_a_newer_program_is_refused(make_place, kind):
    place = make_place(kind)
    store = place.open()
    was = migrate.newest()

    def become(revision):
        statement = text("UPDATE alembic_version SET version_num = :revision")
        return lambda conn: conn.execute(statement, {"revision": revision})

    await store.run(become("r9999"))
    try:
        found = await database(place.url)
        assert isinstance(found, Unread)
        assert found.refused
        assert "r9999" in found.why
    finally:
        await store.run(become(was))
        await place.close()


async def test_an_empty_database_is_there_and_would_be_migrated(tmp_path):
    (tmp_path / "empty.db").touch()
    found = await database(f"sqlite:///{tmp_path / 'empty.db'}")
    assert found.there
    assert found.writable
    assert found.missing[-1] == migrate.newest()


async def test_a_database_that_nobody_has_made_is_not_made(tmp_path):
    assert await database(f"sqlite:///{tmp_path / 'none.db'}") == Database(there=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////no/such/folder/fleet.db",
        "postgresql://nobody@127.0.0.1:9/none",
        "mysql://root@127.0.0.1/x",
        "not a url",
    ],
)
async def test_what_leads_nowhere_is_refused_and_says_why(url):
    found = await database(url)
    assert isinstance(found, Unread)
    assert found.refused
    assert found.why


async def test_a_file_that_is_no_database_is_refused(tmp_path):
    (tmp_path / "notes.db").write_text("these are my notes\n" * 100)
    found = await database(f"sqlite:///{tmp_path / 'notes.db'}")
    assert isinstance(found, Unread)
    assert (tmp_path / "notes.db").read_text().startswith("these are my notes")
