"""Machines and Boots: what comes back is what was stored, and a Machine is never bound or started twice."""

import asyncio

import pytest
from sqlalchemy.exc import IntegrityError
from store_samples import a_boot, a_machine, keep

from runners.model.reason import Reason
from runners.model.states import MachineState
from runners.store import events, machines


async def test_a_machine_comes_back_as_it_was_stored(store):
    whole = a_machine(
        "m-2",
        fly_id="f-2",
        state=MachineState.GONE,
        boot=a_boot(
            "m-2",
            1,
            started_at=1.0,
            ready_at=2.0,
            ended_at=3.0,
            exit_code=20,
            exit_reason=Reason.EXIT_NO_OIDC,
        ),
        reason=Reason.NEVER_STARTED,
        destroy_sent_at=4.0,
        gone_at=5.0,
    )
    await keep(store, a_machine(), whole)
    assert await store.run(lambda conn: machines.get(conn, "m-1")) == a_machine()
    assert await store.run(lambda conn: machines.get(conn, "m-2")) == whole
    assert await store.run(lambda conn: machines.get(conn, "m-3")) is None


async def test_an_intent_is_one_event_at_its_own_time(store):
    await keep(store, a_machine(requested_at=77.5))
    (event,) = await store.run(events.page)
    assert (event.at, event.verb, event.target, event.reason) == (
        77.5,
        "requested",
        "machine/m-1",
        Reason.DEMAND,
    )


async def test_a_name_is_never_used_again(store):
    await keep(store, a_machine(state=MachineState.GONE))
    with pytest.raises(IntegrityError):
        await keep(store, a_machine())


async def test_live_machines_come_by_request_time_each_with_its_latest_boot(store):
    await keep(
        store,
        a_machine("m-3", requested_at=1.0),
        a_machine("m-1", requested_at=2.0),
        a_machine("m-2", requested_at=2.0),
        a_machine("m-0", requested_at=0.0, state=MachineState.GONE),
    )

    def op(conn):
        machines.begin_boot(conn, "m-1", 5.0)
        machines.begin_boot(conn, "m-1", 6.0)
        machines.update_boot(conn, "m-1", 2, started_at=6.5)
        return machines.live(conn)

    live = await store.run(op)
    assert [machine.name for machine in live] == ["m-3", "m-1", "m-2"]
    assert [machine.boot for machine in live] == [
        None,
        a_boot("m-1", 2, launched_at=6.0, started_at=6.5),
        None,
    ]


async def test_boots_are_counted_from_one_and_all_remembered(store):
    await keep(store, a_machine(state=MachineState.STOPPED))

    def op(conn):
        return machines.begin_boot(conn, "m-1", 5.0), machines.begin_boot(conn, "m-1", 6.0)

    assert await store.run(op) == (1, 2)
    assert await store.run(
        lambda conn: machines.update_boot(conn, "m-1", 1, exit_code=22, exit_reason=Reason.EXIT_CLAIM_TIMEOUT)
    )
    assert await store.run(lambda conn: machines.update_boot(conn, "m-1", 3, ended_at=1.0)) is False
    assert await store.run(lambda conn: machines.boots(conn, "m-1")) == (
        a_boot("m-1", 1, launched_at=5.0, exit_code=22, exit_reason=Reason.EXIT_CLAIM_TIMEOUT),
        a_boot("m-1", 2, launched_at=6.0),
    )


@pytest.mark.parametrize("state", list(MachineState))
async def test_a_machine_that_runs_or_had_a_registration_is_never_started_again(store, state):
    await keep(store, a_machine(state=state))
    may = state in {MachineState.CREATING, MachineState.STARTING, MachineState.STOPPED}
    assert await store.run(lambda conn: machines.begin_boot(conn, "m-1", 5.0)) == (1 if may else 0)
    assert len(await store.run(lambda conn: machines.boots(conn, "m-1"))) == (1 if may else 0)


async def test_a_machine_is_adopted_once_and_by_the_same_id_again(store):
    await keep(store, a_machine())

    def op(conn):
        return [machines.adopt(conn, name, fly_id) for name, fly_id in TRIES]

    assert await store.run(op) == [True, True, False, False]
    assert (await store.run(lambda conn: machines.get(conn, "m-1"))).fly_id == "f-1"


TRIES = (("m-1", "f-1"), ("m-1", "f-1"), ("m-1", "f-2"), ("none", "f-1"))


async def test_of_two_ids_at_once_one_adopts(shared_place):
    stores = [shared_place.open() for _ in range(4)]
    await keep(stores[0], a_machine())
    won = await asyncio.gather(
        *(
            store.run(lambda conn, n=n: machines.adopt(conn, "m-1", f"f-{n}"))
            for n, store in enumerate(stores)
        )
    )
    assert won.count(True) == 1
    machine = await stores[0].run(lambda conn: machines.get(conn, "m-1"))
    assert machine.fly_id == f"f-{won.index(True)}"


async def test_update_sets_fields_and_says_whether_the_machine_is_known(store):
    await keep(store, a_machine())
    assert await store.run(lambda conn: machines.update(conn, "m-1", destroy_sent_at=9.0))
    assert await store.run(lambda conn: machines.update(conn, "none", destroy_sent_at=9.0)) is False
    assert await store.run(lambda conn: machines.get(conn, "m-1")) == a_machine(destroy_sent_at=9.0)
    with pytest.raises(TypeError, match="last_boot"):
        await store.run(lambda conn: machines.update(conn, "m-1", last_boot=9))


async def test_creates_are_counted_per_app_whatever_became_of_them(store):
    await keep(
        store,
        a_machine("m-1", requested_at=12.0),
        a_machine("m-2", requested_at=10.0, state=MachineState.GONE),
        a_machine("m-3", requested_at=9.9),
        a_machine("m-4", requested_at=11.0, app="app-b"),
    )
    assert await store.run(lambda conn: machines.creates_since(conn, 10.0)) == {
        "app-a": (10.0, 12.0),
        "app-b": (11.0,),
    }
