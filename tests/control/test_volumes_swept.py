"""Volumes: each ends after its Machine, whatever went wrong on the way, and nobody else's is touched."""

import pytest

from machines.config import volume_name
from runners.model.reason import Reason
from runners.upstream.errors import UpstreamError
from tests.control.test_sweeping import watch
from tests.fleet_world import open_world, pool

GUEST = {"cpu_kind": "performance", "cpus": 2, "memory_mb": 8192}
LONG = 200


def live(world):
    return world.fly.state()["volumes"]


def orphan(world, fleet="test", app="app-a", name=None):
    body = {"name": name or volume_name(fleet), "region": "iad", "size_gb": 20, "compute": GUEST}
    return world.fly.volumes.create(app, body).volume.id


def deletes(world):
    return world.net.count("DELETE", "/volumes/")


async def test_the_volume_of_a_finished_job_is_deleted_after_its_machine(world):
    agent = await world.booted()
    (volume,) = live(world)
    assert volume["attached_machine_id"] == agent.machine.id
    await watch(world, 45)
    assert deletes(world) == 0
    world.fly.destroy("app-a", agent.machine.id, force=True)
    world.pass_time(10)
    await watch(world, 150)
    events = [each for each in await world.events(verb="swept") if volume["id"] in each.target]
    assert [(each.target, each.reason, each.outcome) for each in events] == [
        (f"volume/{volume['id']}", Reason.VOLUME_WITHOUT_MACHINE, "ok")
    ]


async def test_an_orphan_goes_after_readings_that_agree_for_as_long_as_a_launch_may_take(world):
    orphan(world)
    timing = world.settings.timing
    patience = max(timing.absence_confirm, timing.launch_deadline)
    await watch(world, patience)
    assert len(live(world)) == 1
    await watch(world, 30)
    assert live(world) == []


async def test_a_lost_answer_to_a_volumes_create_leaves_none_in_the_end(world):
    lost = world.net.rule("lose", "POST", "/volumes", times=1)
    await world.arrive("build")
    await world.plan()
    assert lost.met == 1
    (volume,) = world.fly.journal.of("volume_created")
    await watch(world, 150)
    assert volume["id"] in {each["id"] for each in world.fly.journal.of("volume_deleted")}


async def test_a_lost_answer_to_a_machines_create_leaves_no_volume_of_a_machine_that_is_not_there(world):
    """The Machine was made, and its end frees the volume."""
    world.net.rule("lose", "POST", "/machines$", times=1)
    await world.arrive("build")
    await world.plan()
    (volume,) = world.fly.journal.of("volume_created")
    (machine,) = world.fly.state()["machines"]
    world.pass_time(10)
    world.fly.destroy("app-a", machine["id"], force=True)
    await watch(world, 180)
    assert volume["id"] in {each["id"] for each in world.fly.journal.of("volume_deleted")}


async def test_a_refused_machine_takes_its_volume_with_it_at_once(world):
    world.fly.faults.add("no_capacity", times=9)
    await world.arrive("build")
    await world.plan()
    created, deleted = (world.fly.journal.of(f"volume_{what}") for what in ("created", "deleted"))
    assert len(created) == len(deleted) >= 1
    assert live(world) == []


@pytest.mark.parametrize("fleet", ["test-2", "tes", "another"])
async def test_another_fleets_volume_is_nobodys_to_delete(world, fleet):
    orphan(world, fleet)
    orphan(world, name="data")
    await watch(world, LONG)
    assert len(live(world)) == 2
    assert deletes(world) == 0


async def test_a_list_that_fails_deletes_nothing(world):
    orphan(world)
    await world.read_lists()
    world.net.rule("answer", "GET", "/volumes", status=403)
    for _ in range(12):
        with pytest.raises(UpstreamError, match="list the volumes of app app-a"):
            await world.read_lists()
        await world.plan()
        world.pass_time(15)
    assert len(live(world)) == 1
    assert deletes(world) == 0


async def test_many_orphans_go_no_faster_than_fly_lets_them(world):
    for _ in range(8):
        orphan(world)
        world.pass_time(2)
    await watch(world, 130)
    await watch(world, 20, step=1.0)
    assert live(world) == []
    assert world.fly.journal.of("rate_limited") == []


async def test_a_delete_that_fails_is_sent_again(world):
    orphan(world)
    world.net.rule("answer", "DELETE", "/volumes/", status=500, times=1)
    await watch(world, LONG)
    assert live(world) == []
    assert [each.outcome for each in await world.events(verb="swept")] == ["try_later", "ok"]


async def test_an_app_without_volumes_is_asked_once_after_a_start(tmp_path):
    async with open_world(tmp_path, pools=[pool(machine_class="gha-xlarge")]) as world:
        await watch(world, LONG)
        assert world.net.count("GET", "/volumes") == 1


async def test_what_a_class_that_had_volumes_has_left_is_deleted_all_the_same(tmp_path):
    async with open_world(tmp_path, pools=[pool(machine_class="gha-xlarge")]) as world:
        orphan(world)
        await watch(world, LONG)
        assert live(world) == []
        asked = world.net.count("GET", "/volumes")
        await watch(world, LONG)
        assert world.net.count("GET", "/volumes") == asked


async def test_an_app_whose_volumes_nobody_expects_may_refuse_to_list_them(tmp_path):
    async with open_world(tmp_path, pools=[pool(machine_class="gha-xlarge")]) as world:
        world.net.rule("answer", "GET", "/volumes", status=403)
        await world.read_lists()
        assert world.control.readings.volumes(world.clock.now()) == {}
