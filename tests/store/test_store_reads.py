"""What readers ask for is answered by the database, alike on each: a window, one reason, one run, a count."""

from functools import partial

from store_samples import a_job, a_machine, a_runner, keep

from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import events, jobs, places, runners
from runners.store.events import Group
from runners.store.places import RunnerPlace


def say(conn, at, reason=Reason.OBSERVED, target="pool/p"):
    return events.append(conn, at=at, actor="planner", verb="said", target=target, reason=reason)


async def test_a_window_of_events_has_its_begin_and_not_its_end(store):
    for at in (1.0, 2.0, 3.0, 4.0):
        await store.run(partial(say, at=at))
    found = await store.run(partial(events.page, since=2.0, until=4.0))
    assert [event.at for event in found] == [2.0, 3.0]


async def test_the_events_of_one_reason_come_in_order_of_seq(store):
    for at, reason in ((1.0, Reason.MINT_LOST), (2.0, Reason.OBSERVED), (3.0, Reason.MINT_LOST)):
        await store.run(partial(say, at=at, reason=reason))
    found = await store.run(partial(events.page, reason=Reason.MINT_LOST))
    assert [event.at for event in found] == [1.0, 3.0]
    newest = await store.run(partial(events.page, reason=Reason.MINT_LOST, since=1.5, newest_first=True))
    assert [event.at for event in newest] == [3.0]


async def test_events_are_grouped_by_reason_and_by_what_they_are_about(store):
    for at, reason, target in (
        (1.0, Reason.MINT_LOST, "runner/r-1"),
        (2.0, Reason.MINT_LOST, "runner/r-1"),
        (3.0, Reason.MINT_LOST, "runner/r-2"),
        (4.0, Reason.MINT_LOST, "machine/m-1"),
        (5.0, Reason.PAYLOAD_MALFORMED, "webhook"),
        (6.0, Reason.OBSERVED, "runner/r-3"),
        (9.0, Reason.MINT_LOST, "runner/r-9"),
    ):
        await store.run(partial(say, at=at, reason=reason, target=target))
    asked = (Reason.MINT_LOST, Reason.PAYLOAD_MALFORMED)
    assert await store.run(partial(events.by_reason, reasons=asked, since=2.0, until=9.0)) == (
        Group(Reason.MINT_LOST, "machine", 1, 1, 4.0, 4.0),
        Group(Reason.MINT_LOST, "runner", 2, 2, 2.0, 3.0),
        Group(Reason.PAYLOAD_MALFORMED, "", 1, 1, 5.0, 5.0),
    )
    assert await store.run(partial(events.by_reason, reasons=(), since=0.0)) == ()


async def test_the_events_of_several_reasons_come_in_order_of_seq(store):
    for at, reason in ((1.0, Reason.MINT_LOST), (2.0, Reason.OBSERVED), (3.0, Reason.TOO_OLD)):
        await store.run(partial(say, at=at, reason=reason))
    asked = frozenset({Reason.TOO_OLD, Reason.MINT_LOST})
    found = await store.run(partial(events.page, reason=asked, newest_first=True))
    assert [event.at for event in found] == [3.0, 1.0]


async def test_a_runs_jobs_are_found_by_its_id(store):
    await keep(store, a_job(1, run_id=7), a_job(2, run_id=7), a_job(3, run_id=8))
    assert [job.id for job in await store.run(partial(jobs.page, run_id=7))] == [2, 1]
    assert [job.id for job in await store.run(partial(jobs.page, run_id=7, after=2))] == [1]


async def test_runners_are_counted_as_they_would_be_paged(store):
    rows = [
        a_runner(f"m-1-{n}", state=state) for n, state in enumerate((RunnerState.BOOTING, RunnerState.IDLE))
    ]
    await keep(store, a_machine(), *rows)
    assert await store.run(runners.count) == 2
    assert await store.run(partial(runners.count, state=(RunnerState.IDLE, RunnerState.BUSY))) == 1
    assert await store.run(partial(runners.count, pool=("other",))) == 0
    assert await store.run(partial(runners.count, pool=())) == 0


async def test_whose_rows_are_is_read_for_many_at_once(store):
    await keep(
        store, a_job(1, repository="acme/api"), a_job(2, pool=None), a_machine("m-1"), a_machine("m-2")
    )
    await keep(store, a_runner("m-1-1", job_id=1), a_runner("m-2-1", "m-2"))
    named = RunnerPlace("m-1-1", "m-1", "gha-medium", 1)
    assert await store.run(lambda conn: places.of_jobs(conn, {1, 2, 3})) == {
        1: ("gha-medium", "acme/api"),
        2: (None, "acme/web"),
    }
    assert await store.run(lambda conn: places.of_machines(conn, {"m-1", "m-9"})) == {"m-1": "gha-medium"}
    assert await store.run(lambda conn: places.of_runners(conn, {"m-1-1", "m-9-1"})) == (named,)
    assert await store.run(lambda conn: places.on_machines(conn, {"m-1": 1, "m-9": 1})) == (named,)
    assert await store.run(lambda conn: places.of_jobs(conn, ())) == {}
