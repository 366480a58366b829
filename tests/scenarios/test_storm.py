"""Machines that die before they are runners: the dispatcher does not feed them to Fly without end."""

from runners.model.reason import Reason
from tests.fleet_world import DIGEST, open_world, pool


async def test_a_broken_image_is_tried_a_few_times_and_then_held_with_its_reason(tmp_path):
    async with open_world(tmp_path, pools=[pool(max_machines=10)]) as world:
        (queued,) = await world.arrive("build")
        memory = world.settings.timing.capacity_memory
        ends = world.clock.now() + memory
        while world.clock.now() < ends:
            await world.plan()
            world.pass_time(5)
            for machine in world.started():
                world.body.exit(machine.id, 1)
            await world.read_lists()
        assert world.net.count("POST", "/machines$") == 3
        why = world.control.view.whys[queued.id]
        assert why.reason is Reason.MACHINE_LOST
        assert "ended before they were runners" in why.detail
        assert why.until is not None


async def boot_and_die(world):
    """A pass of the planner, and all that boots of it ends before it is a runner."""
    await world.plan()
    world.pass_time(9)
    for machine in world.started():
        world.body.exit(machine.id, 1)
    world.pass_time(2)
    await world.read_lists()
    await world.plan()


async def test_after_a_storm_one_machine_tries_the_class_until_a_runner_comes_online(tmp_path):
    async with open_world(tmp_path, pools=[pool(max_machines=10)]) as world:
        jobs = await world.arrive(*(f"job-{number}" for number in range(4)))
        memory = world.settings.timing.capacity_memory
        await boot_and_die(world)
        assert world.net.count("POST", "/machines$") == 3
        for tries in (1, 2):
            world.pass_time(memory)
            for _ in range(3):
                await boot_and_die(world)
            assert world.net.count("POST", "/machines$") == 3 + tries

        world.pass_time(memory)
        await world.plan()
        world.pass_time(9)
        await world.plan()
        agent = world.agent()
        await agent.listen()
        assert (await agent.begin()).id in {job.id for job in jobs}
        await world.plan()
        assert world.net.count("POST", "/machines$") == 3 + 2 + 1 + 3


async def test_a_new_image_is_not_held_for_what_the_old_one_did(tmp_path):
    async with open_world(tmp_path, pools=[pool(max_machines=10)]) as world:
        await world.arrive(*(f"job-{number}" for number in range(3)))
        await boot_and_die(world)
        assert world.net.count("POST", "/machines$") == 3
        image = f"registry.fly.io/runner:2@{DIGEST}"
        changed = world.settings.fly.model_copy(update={"image": image})
        world.control.settings = world.settings.model_copy(update={"fly": changed})
        world.pass_time(3)
        await world.plan()
        assert world.net.count("POST", "/machines$") == 6
