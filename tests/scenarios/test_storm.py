"""Machines that die before they are runners: the dispatcher does not feed them to Fly without end."""

from runners.model.reason import Reason
from tests.fleet_world import open_world, pool


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
