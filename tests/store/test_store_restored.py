"""A restored database gives nothing away twice, on both databases."""

from store_samples import a_boot, a_machine, a_runner, keep

from runners.model.states import MachineState, RunnerState
from runners.store import events, lease, machines, runners, sealed
from runners.store.restored import take_back

NOW = 5000.0
BEFORE = (MachineState.CREATING, MachineState.STOPPED, MachineState.STARTING, MachineState.READY)
UNCLAIMED = (RunnerState.REQUESTED, RunnerState.LAUNCHING, RunnerState.BOOTING)


async def restored(store):
    return await store.run(lambda conn: take_back(conn, NOW, {}, "a copy was put in place"))


async def test_every_live_machine_counts_as_one_that_received_a_registration(store):
    await keep(
        store,
        *(a_machine(f"m-{state}", state=state) for state in BEFORE),
        a_machine("m-over", state=MachineState.GONE, gone_at=10.0),
    )
    taken = await restored(store)
    assert taken.machines == len(BEFORE)
    rows = await store.run(machines.live)
    assert {row.state for row in rows} == {MachineState.BOUND}
    assert await store.run(lambda conn: [machines.begin_boot(conn, row.name, NOW) for row in rows]) == [0] * 4


async def test_no_registration_is_handed_out_again_and_no_claim_is_made_of_one(store):
    await keep(store, a_machine(state=MachineState.STARTING, boot=a_boot()))
    for number, state in enumerate(UNCLAIMED, 1):
        await keep(store, a_runner(f"m-1-{number}", state=state))
        await store.run(lambda conn, number=number: sealed.put(conn, f"m-1-{number}", b"sealed", 1.0))
    await store.run(lambda conn: lease.acquire(conn, "dispatcher", 1.0, 60.0))
    taken = await restored(store)
    assert taken.runners == len(UNCLAIMED)
    rows = await store.run(runners.live)
    assert {(row.state, row.claimed_at) for row in rows} == {(RunnerState.CLAIMED, NOW)}
    assert await store.run(lambda conn: [sealed.get(conn, row.name) for row in rows]) == [None] * 3
    assert await store.run(lambda conn: lease.holder(conn, 2.0)) is None


async def test_it_is_told_as_an_event_and_may_be_done_again(store):
    await keep(store, a_machine(state=MachineState.READY))
    await restored(store)
    again = await restored(store)
    assert (again.machines, again.runners, again.tokens) == (0, 0, 0)
    told = [event.detail for event in await store.run(events.page) if event.verb == "restored"]
    assert told == [
        "a copy was put in place; 1 Machines, 0 Runners and 0 tokens taken back",
        "a copy was put in place; 0 Machines, 0 Runners and 0 tokens taken back",
    ]
