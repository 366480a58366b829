"""Spares from end to end: made, started, refused, replaced; in both readings of ``skip_launch``."""

import dataclasses

import pytest

from runners.api.access import new_token
from runners.model.reason import Reason
from runners.model.states import MachineState
from runners.store import tokens
from tests.fleet_world import open_world, pool


@pytest.fixture(params=["stopped", "created"])
async def world(request, tmp_path):
    """One pool that keeps two stopped spares, at a Fly where such Machines come to rest in either state."""
    pools = [pool(stopped=2, regions=["iad"])]
    async with open_world(tmp_path, pools=pools, skip_launch=request.param) as world:
        yield world


def starts(world):
    return world.net.count("POST", "/start$")


def refused_starts(world):
    return [entry for entry in world.fly.journal.of("refused") if entry["action"] == "start"]


async def settled(world, seconds=75.0):
    """Let the spares be made and come to rest."""
    await world.plan()
    world.pass_time(seconds)
    await world.read_lists()
    await world.plan(2)
    rows = await world.machines()
    assert [row.state for row in rows] == [MachineState.STOPPED] * 2
    return {row.fly_id for row in rows}


async def served(world, job):
    """The job's Machine, once it has begun the job."""
    agents = {}

    async def begun():
        for machine in world.started():
            if machine.id not in agents:
                agent = world.agent(machine)
                answer = await agent.claim()
                if answer.status_code != 200:
                    continue
                agents[machine.id] = agent
                await agent.listen()
            if (taken := await agents[machine.id].begin()) is not None:
                assert taken.id == job.id
                return True
        return False

    await world.until(begun, step=1.0, at_most=60.0)
    return next(iter(agents))


async def test_a_spare_that_has_come_to_rest_is_started_for_a_job_without_a_refusal(world):
    spares = await settled(world)
    (job,) = await world.arrive("build")
    await world.plan()
    assert starts(world) == 1
    assert await served(world, job) in spares
    assert refused_starts(world) == []


async def test_a_job_that_comes_while_its_spares_are_being_made_gets_a_machine_of_its_own(world):
    await world.plan()
    world.pass_time(0.5)
    (job,) = await world.arrive("build")
    await world.plan()
    world.pass_time(2)
    spares = {row.fly_id for row in await world.machines() if row.boot is None}
    assert await served(world, job) not in spares
    assert refused_starts(world) == []


async def test_a_start_that_is_refused_for_now_costs_the_job_nothing_but_the_next_spare(world):
    spares = await settled(world)
    world.fly.faults.add("not_ready_on_start")
    (job,) = await world.arrive("build")
    asked = world.clock.now()
    assert await served(world, job) in spares
    assert world.clock.now() - asked < 5
    refused = refused_starts(world)[0]["name"]
    told = await world.events(reason=Reason.LAUNCH_NOT_READY, target=f"machine/{refused}")
    assert ["still active" in event.detail for event in told] == [True]
    assert (await world.machine(refused)).state is MachineState.STOPPED


async def test_a_spare_that_was_not_ready_serves_a_later_job(world):
    spares = await settled(world)
    world.fly.faults.add("not_ready_on_start", times=2)
    (job,) = await world.arrive("build")
    assert await served(world, job) not in spares
    world.pass_time(world.settings.timing.start_again)
    (later,) = await world.arrive("test")
    await world.plan()
    assert starts(world) == 3
    agent = next(world.agent(machine) for machine in _booted(world, spares))
    await agent.listen()
    assert (await agent.begin()).id == later.id


async def test_a_spare_that_never_starts_is_replaced(world):
    spares = await settled(world)
    world.fly.faults.add("not_ready_on_start", times=1000)
    for number in range(3):
        (job,) = await world.arrive(f"job-{number}")
        await world.plan(3)
        await served(world, job)
        await world.turn(world.settings.timing.start_again + 5)

    async def replaced():
        return not spares & {row.fly_id for row in await world.machines()}

    await world.until(replaced, at_most=120.0)
    given_up = [e for e in await world.events(reason=Reason.LAUNCH_NOT_READY) if e.verb == "destroyed"]
    assert len(given_up) == 2


async def test_a_start_that_was_committed_and_never_sent_is_made_good_long_before_the_boot_deadline(world):
    spares = await settled(world)
    world.net.rule("down", "POST", "/start$", times=1)
    (job,) = await world.arrive("build")
    asked = world.clock.now()
    machine = await served(world, job)
    assert machine not in {row.fly_id for row in await world.machines() if row.destroy_sent_at}
    assert world.clock.now() - asked < world.settings.timing.boot_deadline / 3
    assert len(spares) == 2


def _booted(world, among):
    world.pass_time(5)
    return [machine for machine in world.started() if machine.id in among]


async def test_a_spare_that_fly_no_longer_knows_does_not_close_its_app(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=2, regions=["iad"])]) as world:
        spares = await settled(world)
        world.net.rule("answer", "POST", "/start$", status=404, body={"error": "machine not found"}, times=2)
        (job,) = await world.arrive("build")
        asked = world.clock.now()
        assert await served(world, job) not in spares
        assert world.clock.now() - asked < 10


async def test_a_job_is_not_given_to_a_spare_whose_host_is_lost(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=1, regions=["iad"])]) as world:
        await world.plan()
        world.pass_time(75)
        (spare,) = await world.machines()
        world.fly.set_host(spare.fly_id, "unreachable")
        await world.read_lists()
        (job,) = await world.arrive("build")
        assert await served(world, job) != spare.fly_id
        assert starts(world) == 0


async def test_an_edited_class_file_is_a_change_that_the_status_tells_and_the_spares_follow(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=2, regions=["iad"])]) as world:
        first = await settled(world)
        made = new_token(lambda size: b"t" * size, name="reader", scopes=("read",), now=world.clock.now())
        await world.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))

        async def spares():
            headers = {"Authorization": f"Bearer {made.text.get_secret_value()}"}
            (one,) = (await world.http.get("/v1/pools", headers=headers)).json()["pools"]
            return one["spares"]["stopped"], one["spares"]["outdated"]

        assert await spares() == (2, 0)
        provider = world.control.provider
        small = provider._classes["gha-small"]
        edited = dataclasses.replace(small, memory_mb=small.memory_mb + 256)
        provider._classes = {**provider._classes, "gha-small": edited}
        await world.plan()
        assert (await spares())[1] == 2

        async def replaced():
            return await spares() == (2, 0)

        await world.until(replaced, at_most=180.0)
        rows = await world.machines()
        assert not first & {row.fly_id for row in rows}
        assert {row.fingerprint for row in rows} == {edited.fingerprint}
        configs = [world.fly.peek(row.fly_id).config["guest"]["memory_mb"] for row in rows]
        assert configs == [edited.memory_mb] * 2


async def test_a_spare_is_on_its_way_the_moment_another_was_used_and_no_cap_is_passed(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=2, max_machines=3, regions=["iad"])]) as world:
        await settled(world)
        await world.arrive("one", "two", "three")
        await world.plan(2)
        rows = await world.machines()
        assert len(rows) == 3
        assert [row.boot is not None for row in rows] == [True] * 3
        held = {entry.target: entry.why.reason for entry in world.control.view.plan.held}
        assert held == {"pool/gha-small": Reason.POOL_AT_MAX}
