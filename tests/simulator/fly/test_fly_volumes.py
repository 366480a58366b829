"""FlySim's volumes: one Machine at a time, in one region, and they outlive it."""

import pytest

from simulator.fly.refusals import FlyRefusal


def make(world, name="data", **fields):
    return world.sim.volumes.create("runners-a", {"name": name, "region": "ams", **fields}).volume


def mounting(volume, **fields):
    return {"config": {"mounts": [{"volume": volume.id, "path": "/data"}]}, **fields}


def refused(call, *args, **kwargs):
    with pytest.raises(FlyRefusal) as refusal:
        call(*args, **kwargs)
    return refusal.value.status


def test_a_volume_is_its_machines_until_that_is_destroyed(world) -> None:
    volume = make(world, size_gb=20)
    machine = world.started(**mounting(volume))
    assert volume.as_json()["attached_machine_id"] == machine.id
    assert refused(world.create, "m-2", **mounting(volume)) == 400
    assert refused(world.sim.volumes.delete, "runners-a", volume.id) == 412
    world.body.exit(machine.id)
    world.until(lambda: machine.state == "destroyed")
    assert volume.as_json()["attached_machine_id"] is None
    assert world.sim.volumes.delete("runners-a", volume.id).state == "pending_destroy"


def test_a_stopped_machine_keeps_its_volume(world) -> None:
    volume = make(world)
    machine = world.stopped(**mounting(volume))
    assert volume.machine_id == machine.id


def test_a_deleted_volume_is_listed_for_a_while_and_can_be_had_no_more(world) -> None:
    volume = make(world)
    world.sim.volumes.delete("runners-a", volume.id)
    assert [each.state for each in world.sim.volumes.list("runners-a")] == ["pending_destroy"]
    assert world.sim.state()["volumes"] == []
    for call in (world.sim.volumes.delete, world.sim.volumes.get):
        assert refused(call, "runners-a", volume.id) == 404
    assert refused(world.create, "m", **mounting(volume)) == 404
    world.pass_time(100_000)
    assert world.sim.volumes.list("runners-a") == []


def test_a_machine_goes_where_its_volume_is_or_nowhere(world) -> None:
    volume = make(world)
    assert refused(world.create, "m-1", **mounting(volume), region="iad") == 400
    assert world.create("m-2", **mounting(volume), region="eu").region == "ams"


def test_a_volume_belongs_to_its_app(world) -> None:
    volume = make(world)
    assert world.sim.volumes.list("runners-b") == []
    assert refused(world.sim.volumes.get, "runners-b", volume.id) == 404
    assert refused(world.create, "m", app="runners-b", **mounting(volume)) == 404


def test_a_full_host_of_the_volume_is_a_fault_that_leaves_it_free(world) -> None:
    volume = make(world)
    world.sim.faults.add("volume_host_full", region="ams")
    assert refused(world.create, "m", **mounting(volume)) == 412
    assert volume.machine_id == ""
    world.create("m", **mounting(volume))


def test_creates_and_deletes_are_limited_per_app_each_by_itself(world) -> None:
    made = [make(world) for _ in range(3)]
    assert refused(make, world) == 429
    for each in made:
        world.sim.volumes.delete("runners-a", each.id)
    world.pass_time(1.0)
    make(world)
    assert refused(make, world) == 429


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "has-dash"},
        {"name": "x" * 31},
        {"size_gb": 501},
        {"size_gb": "20"},
        {"snapshot_retention": 61},
        {"region": "xyz"},
    ],
)
def test_what_no_volume_can_be_is_refused(world, wrong) -> None:
    assert refused(make, world, **wrong) == 400
