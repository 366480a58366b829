"""The preferred region is full for a while: the next one serves, and the fleet comes back with one launch."""

from runners.model.reason import Reason
from tests.fleet_world import open_world, pool

ROOM = {"fly": {"create_burst": 3, "creates_per_second": 1}, "fleet": {"max_machines": 60}}


def asked(world, region):
    """How often Fly was asked for a Machine in that region: refused or made."""
    refused = [
        entry
        for entry in world.fly.journal.of("fault_fired")
        if entry["fault_kind"] == "no_capacity" and entry["region"] == region
    ]
    made = [entry for entry in world.fly.journal.of("machine_created") if entry["region"] == region]
    return len(refused), len(made)


async def served_elsewhere(world, name):
    (job,) = await world.arrive(name)

    async def booted():
        return len(world.started()) > before

    before = len(world.started())
    await world.until(booted, step=1.0, at_most=30.0)
    return job


async def test_an_outage_costs_one_refusal_per_memory_and_ends_with_one_launch_that_tries(tmp_path):
    pools = [pool(max_machines=50, regions=["iad", "ewr"])]
    async with open_world(tmp_path, pools=pools, **ROOM) as world:
        memory = world.settings.timing.capacity_memory
        world.fly.faults.add("no_capacity", times=2, region="iad")
        await served_elsewhere(world, "first")
        assert asked(world, "iad") == (1, 0)
        await served_elsewhere(world, "second")
        assert asked(world, "iad") == (1, 0)

        world.pass_time(memory)
        await world.arrive(*(f"burst-{number}" for number in range(3)))
        await world.plan()
        assert asked(world, "iad") == (2, 0), "one launch tried, and met the outage"
        world.pass_time(2)
        await world.plan(2)
        assert asked(world, "iad") == (2, 0)

        world.pass_time(memory)
        await world.arrive(*(f"return-{number}" for number in range(6)))
        await world.plan()
        assert asked(world, "iad") == (2, 1), "one launch tries"
        for _ in range(4):
            world.pass_time(1.5)
            await world.plan()
        assert asked(world, "iad")[1] >= 4, "it went well, and the others follow"


async def test_a_restart_in_the_middle_of_an_outage_does_not_ask_the_full_region_again(tmp_path):
    pools = [pool(regions=["iad", "ewr"])]
    async with open_world(tmp_path, pools=pools) as world:
        world.fly.faults.add("no_capacity", times=5, region="iad")
        await served_elsewhere(world, "before")
        await world.fleet.stop()
        world.fleet = world.make_fleet("another")
        world.http = world.connect()
        world.courier._http = world.http
        await world.open()
        await served_elsewhere(world, "after")
        assert asked(world, "iad") == (1, 0)


async def test_a_job_that_waits_for_a_full_region_is_told_until_when(tmp_path):
    async with open_world(tmp_path, pools=[pool(regions=["iad"])]) as world:
        world.fly.faults.add("no_capacity", times=5, region="iad")
        (job,) = await world.arrive("build")
        await world.plan(2)
        why = world.control.view.whys[job.id]
        assert why.reason is Reason.NO_CAPACITY
        assert why.until == world.clock.now() + world.settings.timing.capacity_memory
