"""backup and restore, as functions of files: whole or absent, checked, and never of another fleet."""

import contextlib
import os
import sqlite3
import stat

import pytest

from runners.model.reason import Reason
from runners.store import backup, events, replacing, tokens
from runners.store.backup import BackupUnusable
from runners.store.engine import InlineStore
from runners.store.errors import StoreNewer, StoreUnavailable
from runners.store.tokens import ApiToken
from tests.fleet_world import migrated

NOW = 1_790_000_000.0


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "fleet.db"
    path.write_bytes(migrated())
    return path


def note(store, detail):
    store.transact(
        lambda conn: events.append(
            conn, at=NOW, actor="test", verb="said", target="fleet", reason=Reason.OBSERVED, detail=detail
        )
    )


def said(path):
    store = InlineStore(str(path))
    try:
        return [event.detail for event in store.transact(lambda conn: events.page(conn, limit=100))]
    finally:
        store.dispose()


def beside(path):
    return sorted(each.name for each in path.parent.iterdir())


def test_a_backup_has_what_was_committed_though_the_dispatcher_still_writes(database, tmp_path):
    """The newest rows are in the write-ahead log, and the next transaction is open."""
    store = InlineStore(str(database))
    note(store, "first")
    with store._engine.connect() as conn, conn.begin():
        events.append(
            conn, at=NOW, actor="test", verb="said", target="fleet", reason=Reason.OBSERVED, detail="open"
        )
        made = backup.make(database, tmp_path / "copy", "acme", NOW)
    store.dispose()
    assert (made.fleet, made.made_at, made.events, made.last_event_at) == ("acme", NOW, 1, NOW)
    assert made.size == (tmp_path / "copy").stat().st_size
    assert said(tmp_path / "copy") == ["first"]


def test_a_backup_is_one_private_file_and_replaces_none(database, tmp_path):
    file = tmp_path / "copies/copy"
    file.parent.mkdir()
    backup.make(database, file, "acme", NOW)
    assert beside(file) == ["copy"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    with pytest.raises(StoreUnavailable, match="exists"):
        backup.make(database, file, "acme", NOW)
    with pytest.raises(StoreUnavailable, match="no such database"):
        backup.make(tmp_path / "none.db", tmp_path / "copy-2", "acme", NOW)
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("step", ["copy", "look", "to_disk"])
def test_a_backup_that_dies_on_the_way_leaves_nothing_under_its_name(database, tmp_path, monkeypatch, step):
    file = tmp_path / "copies/copy"
    file.parent.mkdir()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backup, step, fail)
    with pytest.raises(StoreUnavailable, match="No space left on device"):
        backup.make(database, file, "acme", NOW)
    assert beside(file) == []


def test_what_is_no_whole_database_of_fly_gha_is_refused_with_the_reason(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    text, half, other, damaged = (tmp_path / name for name in ("text", "half", "other", "damaged"))
    text.write_text("no database")
    half.write_bytes(copy.read_bytes()[: copy.stat().st_size // 2])
    with sqlite3.connect(other) as conn:
        conn.execute("CREATE TABLE a (b)")
    conn.close()
    body = bytearray(copy.read_bytes())
    body[4096 * 3 : 4096 * 5] = os.urandom(4096 * 2)
    damaged.write_bytes(body)
    for file, why in (
        (text, "not a database"),
        (half, "malformed"),
        (other, "no database of fly-gha"),
        (damaged, "malformed|damaged"),
    ):
        with pytest.raises(BackupUnusable, match=why):
            replacing.prepare(file, database, "acme")
    with pytest.raises(StoreUnavailable, match="no such file"):
        replacing.prepare(tmp_path / "none", database, "acme")
    assert not replacing.pending(database).exists()


def test_a_backup_of_another_fleet_or_of_a_newer_fly_gha_is_refused(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "other", NOW)
    with pytest.raises(BackupUnusable, match="another fleet"):
        replacing.prepare(copy, database, "acme")
    with sqlite3.connect(copy) as conn:
        conn.execute("UPDATE alembic_version SET version_num = '9999'")
    conn.close()
    with pytest.raises(StoreNewer, match="9999"):
        replacing.prepare(copy, database, "other")
    assert beside(database) == ["copy", "fleet.db"]


def test_a_restore_waits_for_nobody_to_have_the_database_open(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    dispatcher = InlineStore(str(database))
    note(dispatcher, "since")
    replacing.prepare(copy, database, "acme")
    with pytest.raises(StoreUnavailable, match="has it open"):
        replacing.place(database, NOW)
    note(dispatcher, "and on")
    dispatcher.dispose()
    assert said(database) == ["since", "and on"]
    replacing.place(database, NOW)
    (restored,) = said(database)
    assert "was put in place" in restored


def test_the_database_that_was_there_is_kept_whole(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    store = InlineStore(str(database))
    note(store, "since")
    store.dispose()
    replacing.prepare(copy, database, "acme")
    done = replacing.place(database, NOW)
    assert done.kept.name == "fleet.db.replaced-20260921T141320000Z"
    assert said(done.kept) == ["since"]
    assert stat.S_IMODE(database.stat().st_mode) == 0o600
    assert not replacing.pending(database).exists()


def test_a_damaged_database_can_be_replaced_and_its_log_is_not_taken_for_the_new_ones(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    database.write_bytes(b"gone" * 5000)
    database.with_name("fleet.db-wal").write_bytes(b"a log of it")
    replacing.prepare(copy, database, "acme")
    done = replacing.place(database, NOW)
    assert done.kept.read_bytes().startswith(b"gone")
    assert not database.with_name("fleet.db-wal").exists()
    assert len(said(database)) == 1


def test_a_database_that_is_lost_is_restored_as_well(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    database.unlink()
    replacing.prepare(copy, database, "acme")
    assert replacing.place(database, NOW).kept is None
    assert len(said(database)) == 1


def test_a_crash_before_the_last_step_leaves_the_old_database_and_the_next_try(
    database, tmp_path, monkeypatch
):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    replacing.prepare(copy, database, "acme")
    real = type(copy).replace

    def die(self, target):
        if target == database:
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(type(copy), "replace", die)
    with pytest.raises(KeyboardInterrupt):
        replacing.place(database, NOW)
    monkeypatch.undo()
    assert said(database) == []
    assert replacing.place(database, NOW + 1).kept is not None
    assert len(said(database)) == 2


def test_a_token_that_was_revoked_since_the_backup_stays_revoked(database, tmp_path):
    store = InlineStore(str(database))
    for name in ("kept", "ended"):
        token = ApiToken(name, name, frozenset({"read"}), (), (), NOW, None, None, None)
        store.transact(lambda conn, token=token: tokens.insert(conn, token, f"hash-{token.id}"))
    backup.make(database, tmp_path / "copy", "acme", NOW)
    store.transact(lambda conn: tokens.revoke(conn, "ended", NOW + 5))
    store.dispose()
    replacing.prepare(tmp_path / "copy", database, "acme")
    assert replacing.place(database, NOW + 9).taken.tokens == 1
    store = InlineStore(str(database))
    valid = {each.id: each.valid(NOW + 9) for each in store.transact(tokens.all)}
    store.dispose()
    assert valid == {"kept": True, "ended": False}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ("DELETE FROM alembic_version", "does not say which tables"),
        ("DELETE FROM fly_gha_backup", "its label does not say whose it is"),
        ("UPDATE fly_gha_backup SET made_at = 'yesterday'", "its label does not say whose it is"),
    ],
)
def test_a_backup_that_somebody_emptied_in_part_is_refused(database, tmp_path, change, why):
    backup.make(database, tmp_path / "copy", "acme", NOW)
    with contextlib.closing(sqlite3.connect(tmp_path / "copy")) as conn, conn:
        conn.execute(change)
    with pytest.raises(BackupUnusable, match=why):
        replacing.check(tmp_path / "copy", "acme")


def test_names_that_no_file_can_have_are_refused_and_a_link_that_leads_nowhere_is_a_file(database, tmp_path):
    long, link = tmp_path / ("x" * 300), tmp_path / "link"
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(StoreUnavailable, match="no such file"):
        backup.look(long)
    with pytest.raises(StoreUnavailable, match="File name too long"):
        backup.make(database, long, "acme", NOW)
    with pytest.raises(StoreUnavailable, match="exists"):
        backup.make(database, link, "acme", NOW)


def test_a_backup_without_all_its_tables_is_never_prepared_for_the_next_start(database, tmp_path):
    copy = tmp_path / "copy"
    backup.make(database, copy, "acme", NOW)
    with contextlib.closing(sqlite3.connect(copy)) as conn, conn:
        conn.execute("DROP TABLE runners")
    with pytest.raises(BackupUnusable, match="it lacks the tables runners"):
        replacing.prepare(copy, database, "acme")
    assert beside(database) == ["copy", "fleet.db"]


def test_what_waits_and_was_damaged_meanwhile_is_told_with_how_to_go_on_without_it(database):
    replacing.pending(database).write_bytes(b"garbage")
    with pytest.raises(BackupUnusable, match=r"Next: remove .*fleet\.db\.restore to go on with the database"):
        replacing.place(database, NOW)


def test_a_folder_that_is_not_there_is_told(database, tmp_path):
    backup.make(database, tmp_path / "copy", "acme", NOW)
    with pytest.raises(StoreUnavailable, match="No such file or directory"):
        replacing.prepare(tmp_path / "copy", tmp_path / "none/fleet.db", "acme")


def test_a_backup_that_was_put_in_place_by_hand_can_be_backed_up_again(database, tmp_path):
    backup.make(database, tmp_path / "copy", "acme", NOW)
    (tmp_path / "copy").replace(database)
    assert backup.make(database, tmp_path / "again", "acme", NOW + 60.0).made_at == NOW + 60.0
