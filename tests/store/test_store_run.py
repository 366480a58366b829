"""Store.run: one transaction per operation, all or nothing, whatever happens to caller, process or server."""

import asyncio
import os
import signal
import sqlite3
import sys
from functools import partial

import pytest
from sqlalchemy import select, text
from store_samples import BY, a_job, a_machine, keep

from runners.store import events, jobs, machines
from runners.store.connections import create_private_file
from runners.store.engine import open_store
from runners.store.errors import StoreUnavailable
from runners.store.tables import jobs as jobs_table

COMMITTER = """
import asyncio, sys
from runners.model.reason import Reason
from runners.store import events
from runners.store.engine import open_store

async def main():
    store = open_store(sys.argv[1])
    while True:
        seq = await store.run(lambda conn: events.append(
            conn, at=1.0, actor="child", verb="said", target="pool/p", reason=Reason.OBSERVED))
        print(seq, flush=True)

asyncio.run(main())
"""


LOCKS_HELD = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"


class OddError(Exception):
    pass


async def test_what_an_operation_returns_comes_back(store):
    assert (await store.run(lambda _conn: {"a": 1})) == {"a": 1}


async def test_an_operation_that_raises_leaves_nothing_behind(store):
    def op(conn):
        jobs.insert(conn, a_job(), **BY)
        machines.insert(conn, a_machine(), **BY)
        raise OddError

    with pytest.raises(OddError):
        await store.run(op)

    assert await store.run(jobs.live) == ()
    assert await store.run(machines.live) == ()
    assert await store.run(events.page) == ()


async def test_a_refused_row_takes_the_whole_operation_back_and_the_store_goes_on(store):
    await keep(store, a_machine())

    def op(conn):
        jobs.insert(conn, a_job(), **BY)
        machines.insert(conn, a_machine(), **BY)

    with pytest.raises(Exception, match=r"(?i)unique") as caught:
        await store.run(op)
    assert not isinstance(caught.value, StoreUnavailable)
    assert await store.run(jobs.live) == ()


async def test_an_error_never_shows_what_was_to_be_stored(store):
    await keep(store, a_machine())
    with pytest.raises(Exception, match=r"(?i)unique") as caught:
        await store.run(lambda conn: machines.insert(conn, a_machine(image="hush-hush"), **BY))
    assert "hush-hush" not in str(caught.value)


async def test_what_one_store_committed_another_reads(place):
    first, second = place.open(), place.open()
    await keep(first, a_job())
    assert await second.run(jobs.live) == (a_job(),)


async def test_a_cancelled_caller_leaves_its_transaction_whole(shared_place):
    store = shared_place.open()
    reached = asyncio.Event()

    def op(conn):
        jobs.insert(conn, a_job(), **BY)
        reached.set()
        conn.execute(select(jobs_table.c.id).order_by(jobs_table.c.id)).all()
        return jobs.update(conn, 1, deferrals=3)

    caller = asyncio.create_task(store.run(op))
    await reached.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller

    assert await store.run(lambda conn: jobs.get(conn, 1)) == a_job(deferrals=3)


async def test_callers_cancelled_at_any_moment_leave_all_or_nothing_and_a_store_that_works(shared_place):
    store = shared_place.open()
    await store.run(events.revision)
    for number in range(1, 25):
        caller = asyncio.create_task(store.run(lambda conn, n=number: jobs.insert(conn, a_job(n), **BY)))
        for _ in range(number):
            await asyncio.sleep(0)
        caller.cancel()
        await asyncio.wait({caller})

    kept = {f"job/{job.id}" for job in await store.run(jobs.live)}
    assert {event.target for event in await store.run(events.page)} == kept


async def test_closing_lets_running_operations_end(shared_place):
    store = shared_place.open()
    caller = asyncio.create_task(keep(store, a_job()))
    await asyncio.sleep(0)
    await store.close()
    assert store._running._open == set()
    await caller
    assert await shared_place.open().run(jobs.live) == (a_job(),)


async def test_events_are_committed_in_the_order_of_their_seq(shared_place):
    writers = [shared_place.open() for _ in range(3)]
    reader = shared_place.open()
    seen: list[int] = []

    async def write(store, name):
        for _ in range(15):
            await store.run(lambda conn: _two_events(conn, name))

    async def read():
        while len(seen) < 90:
            after = seen[-1] if seen else 0
            seen.extend(event.seq for event in await reader.run(partial(events.page, after=after)))

    await asyncio.wait_for(
        asyncio.gather(read(), *(write(store, f"pool/{n}") for n, store in enumerate(writers))), 60
    )
    assert seen == sorted(set(seen))
    assert len(await reader.run(lambda conn: events.page(conn, limit=1000))) == 90


def _two_events(conn, target):
    for _ in range(2):
        events.append(conn, at=1.0, verb="said", target=target, **BY)


async def test_a_process_killed_after_run_returned_has_lost_nothing(make_place):
    place = make_place("sqlite")
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", COMMITTER, place.url, stdout=asyncio.subprocess.PIPE
    )
    said = [int(await child.stdout.readline()) for _ in range(20)]
    os.kill(child.pid, signal.SIGKILL)
    said += [
        int(line) for line in (await child.stdout.read()).splitlines(keepends=True) if line.endswith(b"\n")
    ]
    assert await child.wait() == -signal.SIGKILL

    store = place.open()
    kept = [event.seq for event in await store.run(lambda conn: events.page(conn, limit=100_000))]
    await place.close()
    # One more may have been committed without having been said.
    assert kept[: len(said)] == said
    assert len(kept) - len(said) in (0, 1)
    with sqlite3.connect(place.url.removeprefix("sqlite:///")) as raw:
        assert raw.execute("pragma integrity_check").fetchone() == ("ok",)
    raw.close()


async def test_sqlite_connections_are_set_up_for_durability_and_real_transactions(make_place):
    for kind in ("sqlite", "inline"):
        place = make_place(kind)

        def settings(conn):
            names = ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            return tuple(conn.exec_driver_sql(f"pragma {name}").scalar() for name in names)

        assert await place.open().run(settings) == ("wal", 2, 1, 10_000)
        await place.close()


async def test_an_operation_on_sqlite_holds_the_write_lock_from_its_begin(make_place):
    place = make_place("inline")

    def op(_conn):
        other = sqlite3.connect(place.url.removeprefix("sqlite:///"), timeout=0, isolation_level=None)
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("begin immediate")
        other.close()
        return True

    assert await place.open().run(op)
    await place.close()


async def test_a_new_sqlite_file_is_readable_by_its_owner_only(tmp_path):
    path = tmp_path / "new.db"
    store = open_store(f"sqlite:///{path}")
    await store.migrate()
    modes = {file.name: oct(file.stat().st_mode & 0o777) for file in tmp_path.iterdir()}
    await store.close()
    assert set(modes.values()) == {"0o600"}
    assert "new.db" in modes


def test_a_new_sqlite_file_is_born_in_wal_mode_and_alone(tmp_path):
    open_store(f"sqlite:///{tmp_path}/new.db")
    assert [file.name for file in tmp_path.iterdir()] == ["new.db"]
    # Bytes 18 and 19 of the header are 2 in WAL mode.
    assert (tmp_path / "new.db").read_bytes()[18:20] == b"\x02\x02"


def test_an_existing_sqlite_file_is_left_as_it_is(tmp_path):
    from sqlalchemy.engine import make_url  # noqa: PLC0415

    path = tmp_path / "old.db"
    path.write_bytes(b"content")
    path.chmod(0o640)
    create_private_file(make_url(f"sqlite:///{path}"))
    assert path.read_bytes() == b"content"
    assert path.stat().st_mode & 0o777 == 0o640


async def test_an_operation_on_postgresql_runs_at_read_committed(make_place):
    place = make_place("postgresql")
    level = await place.open().run(lambda conn: conn.execute(text("show transaction_isolation")).scalar())
    await place.close()
    assert level == "read committed"


async def test_readers_on_postgresql_do_not_wait_for_a_writer(make_place):
    place = make_place("postgresql")
    writer, reader = place.open(), place.open()
    async with writer._engine.begin() as conn:
        await conn.run_sync(lambda c: jobs.insert(c, a_job(), **BY))
        assert await asyncio.wait_for(reader.run(jobs.live), 5) == ()
    assert await reader.run(jobs.live) == (a_job(),)
    await place.close()


async def test_every_writing_operation_on_postgresql_waits_for_its_turn_anew(make_place):
    place = make_place("postgresql")
    store = place.open()

    def op(conn):
        before = conn.execute(text(LOCKS_HELD)).scalar()
        events.append(conn, at=1.0, verb="said", target="pool/p", **BY)
        return before, conn.execute(text(LOCKS_HELD)).scalar()

    assert [await store.run(op) for _ in range(3)] == [(0, 1)] * 3
    await place.close()


async def test_a_url_in_the_spelling_of_libpq_works(make_place):
    place = make_place("postgresql")
    url = place.url.replace("postgresql://", "postgres://") + "?sslmode=disable"
    store = open_store(url)
    assert await store.run(jobs.live) == ()
    await store.close()
    await place.close()


async def test_a_savepoint_rolled_back_does_not_lose_the_order_of_writers(make_place):
    place = make_place("postgresql")

    def op(conn):
        savepoint = conn.begin_nested()
        jobs.insert(conn, a_job(), **BY)
        savepoint.rollback()
        events.append(conn, at=1.0, verb="said", target="pool/p", **BY)
        return conn.execute(text(LOCKS_HELD)).scalar()

    assert await place.open().run(op) == 1
    await place.close()


async def test_a_connection_that_breaks_off_is_a_typed_error_and_the_next_operation_works(make_place):
    place = make_place("postgresql")
    store, other = place.open(), place.open()
    mine = await store.run(lambda conn: conn.execute(text("select pg_backend_pid()")).scalar())

    def op(conn):
        jobs.insert(conn, a_job(), **BY)
        conn.execute(text("select pg_terminate_backend(pg_backend_pid())")).all()

    with pytest.raises(StoreUnavailable) as caught:
        await store.run(op)
    assert caught.value.next_step in str(caught.value)
    assert await store.run(jobs.live) == ()

    await other.run(lambda conn: conn.execute(text(f"select pg_terminate_backend({mine})")).all())
    assert await store.run(jobs.live) == ()
    await place.close()


async def test_a_server_that_is_not_there_is_a_typed_error_without_the_password():
    store = open_store("postgresql://someone:hush@127.0.0.1:1/fleet")
    with pytest.raises(StoreUnavailable) as caught:
        await store.run(events.revision)
    await store.close()
    assert "hush" not in str(caught.value)
    assert "fleet.database_url" in str(caught.value)


async def test_a_sqlite_file_that_cannot_be_made_is_a_typed_error(tmp_path):
    with pytest.raises(StoreUnavailable, match="No such file or directory"):
        open_store(f"sqlite:///{tmp_path}/missing/store.db")


async def test_a_file_that_is_no_database_is_a_typed_error(tmp_path):
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, " * 100)
    store = open_store(f"sqlite:///{path}")
    with pytest.raises(StoreUnavailable, match="not a database"):
        await store.migrate()
    await store.close()


@pytest.mark.parametrize("url", ["mysql://h/d", "nonsense", "sqlite+aiosqlite:///x.db"])
def test_a_url_of_another_kind_is_a_typed_error(url):
    with pytest.raises(StoreUnavailable, match="write sqlite:///PATH or postgresql://"):
        open_store(url)
