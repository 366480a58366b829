"""What the metrics read of the log: who has gone, with their times, and how often each thing was done."""

from store_samples import a_boot, a_job, a_machine, a_runner, keep

from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import events, runners
from runners.store.event_counts import Done, counted, seq_before
from runners.store.phase_times import gone_after

BY = {"actor": "observer", "reason": Reason.JOB_COMPLETED}


async def end(store, name, at):
    """As the observer ends a Runner: two moves at one time."""

    def op(conn):
        runners.move(conn, name, RunnerState.RETIRING, at=at, **BY)
        runners.move(conn, name, RunnerState.GONE, at=at, **BY)
        return events.revision(conn)

    return await store.run(op)


async def a_life(store, number, **stamps):
    name = f"m-{number}"
    await keep(
        store,
        a_job(number, accepted_at=990.0, in_progress_at=1010.0, completed_at=1050.0),
        a_machine(name, boot=a_boot(name, started_at=1003.0, ready_at=1004.0)),
        a_runner(
            f"{name}-1",
            name,
            state=RunnerState.BUSY,
            claimed_at=1005.0,
            online_at=1007.0,
            busy_at=1011.0,
            job_id=number,
            **stamps,
        ),
    )
    return f"{name}-1"


async def test_who_has_gone_is_told_once_in_the_order_of_their_ends_with_all_times(store):
    first, second = await a_life(store, 1), await a_life(store, 2)
    start = await store.run(events.revision)
    later = await end(store, second, 1060.0)
    last = await end(store, first, 1061.0)
    found = await store.run(lambda conn: gone_after(conn, start, 10))
    assert [(each.seq, each.times["gone"]) for each in found] == [(later, 1060.0), (last, 1061.0)]
    assert found[0].pool == "gha-medium"
    assert list(found[0].times.values()) == [990.0, 1000.0, 1003.0, 1005.0, 1007.0, 1010.0, 1050.0, 1060.0]


async def test_reading_goes_on_where_it_left_off_and_live_ones_are_left_out(store):
    names = [await a_life(store, number) for number in (1, 2, 3)]
    start = await store.run(events.revision)
    for number, name in enumerate(names[:2]):
        await end(store, name, 1060.0 + number)
    (one,) = await store.run(lambda conn: gone_after(conn, start, 1))
    (other,) = await store.run(lambda conn: gone_after(conn, one.seq, 10))
    assert (one.times["gone"], other.times["gone"]) == (1060.0, 1061.0)
    assert await store.run(lambda conn: gone_after(conn, other.seq, 10)) == ()


async def test_a_runner_whose_job_and_boot_are_not_there_is_told_all_the_same(store):
    await keep(store, a_machine("m-9"), a_runner("m-9-1", "m-9", state=RunnerState.BUSY, demand_at=995.0))
    start = await store.run(events.revision)
    await end(store, "m-9-1", 1060.0)
    (found,) = await store.run(lambda conn: gone_after(conn, start, 10))
    assert (found.times["accepted"], found.times["started"], found.times["completed"]) == (995.0, None, None)


async def write(store, *events_):
    def op(conn):
        for at, actor, verb in events_:
            events.append(
                conn, at=at, actor=actor, verb=verb, target="pool/p", reason=Reason.OPERATOR_REQUEST
            )
        return events.revision(conn)

    return await store.run(op)


async def test_events_are_counted_between_two_places_and_tokens_are_one_operator(store):
    first = await write(
        store, (1.0, "token:abc", "drained"), (2.0, "token:def", "drained"), (3.0, "planner", "held")
    )
    reason = Reason.OPERATOR_REQUEST
    both = await store.run(lambda conn: counted(conn, 0, first))
    assert both == (Done("operator", "drained", reason, 2), Done("planner", "held", reason, 1))
    last = await write(store, (4.0, "token:abc", "undrained"))
    assert await store.run(lambda conn: counted(conn, first, last)) == (
        Done("operator", "undrained", reason, 1),
    )
    assert await store.run(lambda conn: counted(conn, last, last)) == ()


async def test_the_place_before_a_time_is_found_also_where_nothing_is(store):
    assert await store.run(lambda conn: seq_before(conn, 5.0)) == 0
    last = await write(store, (1.0, "a", "b"), (2.0, "a", "b"), (3.0, "a", "b"))
    assert await store.run(lambda conn: seq_before(conn, 2.0)) == last - 2
    assert await store.run(lambda conn: seq_before(conn, 9.0)) == last
