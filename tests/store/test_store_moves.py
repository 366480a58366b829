"""The tables of allowed moves, enforced by compare-and-set: every allowed move works, no other does."""

import asyncio

import pytest
from store_samples import BY, a_job, a_machine, a_runner, keep

from runners.model.reason import Reason
from runners.model.states import JOB_MOVES, MACHINE_MOVES, RUNNER_MOVES, JobState, MachineState, RunnerState
from runners.store import events, jobs, machines, runners


def pairs(states):
    return [pytest.param(before, to, id=f"{before}-{to}") for before in states for to in states]


@pytest.mark.parametrize(("before", "to"), pairs(MachineState))
async def test_a_machine_moves_as_its_table_says_with_one_event(store, before, to):
    await keep(store, a_machine(state=before))
    start = await store.run(events.revision)
    allowed = to in MACHINE_MOVES[before]

    moved = await store.run(
        lambda conn: machines.move(
            conn,
            "m-1",
            to,
            at=2000.5,
            actor="loop",
            reason=Reason.OBSERVED,
            fly_id="f-9",
            external_id="req-1",
        )
    )

    assert moved is allowed
    row = await store.run(lambda conn: machines.get(conn, "m-1"))
    written = await store.run(lambda conn: events.page(conn, after=start))
    if not allowed:
        assert row == a_machine(state=before)
        assert written == ()
        return
    gone_at = 2000.5 if to is MachineState.GONE else None
    assert row == a_machine(state=to, state_at=2000.5, reason=Reason.OBSERVED, fly_id="f-9", gone_at=gone_at)
    (event,) = written
    assert (event.at, event.actor, event.verb, event.target) == (2000.5, "loop", "moved", "machine/m-1")
    assert (event.reason, event.detail, event.external_id) == (
        Reason.OBSERVED,
        f"{before} -> {to}",
        "req-1",
    )


@pytest.mark.parametrize(("before", "to"), pairs(RunnerState))
async def test_a_runner_moves_as_its_table_says_with_one_event(store, before, to):
    await keep(store, a_machine(), a_runner(state=before))
    start = await store.run(events.revision)
    allowed = to in RUNNER_MOVES[before]

    moved = await store.run(
        lambda conn: runners.move(
            conn, "m-1-1", to, at=2000.5, actor="hook", reason=Reason.BUSY, detail="so it said", busy_at=3.0
        )
    )

    assert moved is allowed
    row = await store.run(lambda conn: runners.get(conn, "m-1-1"))
    written = await store.run(lambda conn: events.page(conn, after=start))
    if not allowed:
        assert row == a_runner(state=before)
        assert written == ()
        return
    gone_at = 2000.5 if to is RunnerState.GONE else None
    assert row == a_runner(state=to, state_at=2000.5, reason=Reason.BUSY, busy_at=3.0, gone_at=gone_at)
    (event,) = written
    assert (event.verb, event.target) == ("moved", "runner/m-1-1")
    assert event.detail == f"{before} -> {to}: so it said"


@pytest.mark.parametrize("back", [False, True], ids=["webhook", "rest"])
@pytest.mark.parametrize(("before", "to"), pairs(JobState))
async def test_a_job_moves_forward_and_back_only_when_told_so(store, before, to, back):
    await keep(store, a_job(state=before))
    start = await store.run(events.revision)
    allowed = to in JOB_MOVES[before] or (back and to.rank < before.rank)

    moved = await store.run(
        lambda conn: jobs.move(
            conn, 1, to, at=5.0, actor="webhook", reason=Reason.OBSERVED, back=back, runner_name="r"
        )
    )

    assert moved is allowed
    row = await store.run(lambda conn: jobs.get(conn, 1))
    written = await store.run(lambda conn: events.page(conn, after=start))
    if allowed:
        assert row == a_job(state=to, runner_name="r")
        assert [(event.target, event.detail) for event in written] == [("job/1", f"{before} -> {to}")]
    else:
        assert row == a_job(state=before)
        assert written == ()


async def test_moving_what_is_not_there_is_a_plain_no(store):
    def op(conn):
        return (
            jobs.move(conn, 7, JobState.COMPLETED, at=1.0, **BY),
            machines.move(conn, "none", MachineState.GONE, at=1.0, **BY),
            runners.move(conn, "none", RunnerState.BUSY, at=1.0, **BY),
        )

    assert await store.run(op) == (False, False, False)
    assert await store.run(events.revision) == 0


@pytest.mark.parametrize("name", ["state", "previous_state", "id", "no_such_field"])
async def test_fields_that_are_not_a_callers_to_set_are_refused_by_name(store, name):
    await keep(store, a_job())
    with pytest.raises(TypeError, match=name):
        await store.run(lambda conn: rows_update(conn, name))
    with pytest.raises(TypeError, match="state_at"):
        await store.run(lambda conn: machines.update(conn, "m-1", state_at=1.0))


def rows_update(conn, name):
    if name == "id":
        from runners.store import rows  # noqa: PLC0415 - the one test of it
        from runners.store.tables import jobs as table  # noqa: PLC0415

        return rows.change(conn, table, 1, {"id": 2})
    return jobs.update(conn, 1, **{name: "x"})


async def test_of_many_callers_at_once_exactly_one_wins_a_move(shared_place):
    stores = [shared_place.open() for _ in range(6)]
    await keep(stores[0], a_machine(), a_runner(state=RunnerState.IDLE))
    start = await stores[0].run(events.revision)

    def retire(number):
        return lambda conn: runners.move(
            conn,
            "m-1-1",
            RunnerState.RETIRING,
            at=float(number),
            actor=f"caller-{number}",
            reason=Reason.SURPLUS,
        )

    won = await asyncio.gather(*(stores[number % 6].run(retire(number)) for number in range(24)))

    assert sorted(won) == [False] * 23 + [True]
    (event,) = await stores[0].run(lambda conn: events.page(conn, after=start))
    assert event.actor == f"caller-{won.index(True)}"


async def test_of_many_first_inserts_at_once_exactly_one_is_the_first(shared_place):
    stores = [shared_place.open() for _ in range(4)]

    won = await asyncio.gather(
        *(stores[n % 4].run(lambda conn: jobs.insert(conn, a_job(), **BY)) for n in range(16))
    )

    assert sorted(won) == [False] * 15 + [True]
    assert len(await stores[0].run(events.page)) == 1
