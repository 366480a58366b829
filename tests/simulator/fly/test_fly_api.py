"""What FlySim accepts and refuses, before and besides the life of a Machine."""

import pytest

from simulator.fly.refusals import FlyRefusal


def refusal(call, *args, **kwargs) -> FlyRefusal:
    with pytest.raises(FlyRefusal) as refused:
        call(*args, **kwargs)
    return refused.value


def test_a_burst_of_three_creates_passes_and_the_fourth_waits_a_second(world) -> None:
    for number in range(3):
        world.create(f"m-{number}")
    assert refusal(world.create, "m-3").status == 429
    assert world.last("rate_limited")["action"] == "create"
    world.create("m-3", app="runners-b")
    world.pass_time(1.0)
    world.create("m-4")


def test_actions_on_different_machines_do_not_share_a_bucket(world) -> None:
    machines = [world.stopped(f"m-{number}") for number in range(3)]
    for machine in machines:
        world.sim.start("runners-a", machine.id)
    for _ in range(10):
        world.sim.get("runners-a", machines[0].id)
    assert refusal(world.sim.get, "runners-a", machines[0].id).status == 429
    world.sim.get("runners-a", machines[1].id)


def test_a_faster_world_allows_as_many_more_requests(make_world) -> None:
    world = make_world(scale=10.0)
    for number in range(30):
        world.create(f"m-{number}")
    assert refusal(world.create, "m-30").status == 429
    world.pass_time(0.1)
    world.create("m-30")


def test_a_name_in_use_is_refused_with_the_id_that_has_it_and_free_after_the_end(world) -> None:
    machine = world.create("m-1")
    taken = refusal(world.create, "m-1")
    assert taken.status == 409
    assert taken.error == (
        f"already_exists: unique machine name violation, machine ID {machine.id} already exists "
        'with name "m-1"'
    )
    assert world.create("m-1", app="runners-b").id != machine.id
    world.sim.destroy("runners-a", machine.id, force=True)
    world.until(lambda: machine.state == "destroyed")
    assert world.create("m-1").id != machine.id


def test_a_full_region_refuses_with_422_and_the_next_one_is_tried(world) -> None:
    world.sim.faults.add("no_capacity", times=2, region="ams")
    full = refusal(world.create, "m-1")
    assert (full.status, full.code) == (422, "insufficient_capacity")
    assert world.last("refused")["status"] == 422
    assert world.create("m-1", region="ams,fra").region == "fra"


def test_a_region_holds_no_more_running_machines_than_it_has_room_for(make_world) -> None:
    world = make_world(capacity={"ams": 1})
    world.create("m-1")
    assert refusal(world.create, "m-2").status == 422


def test_the_organizations_machine_limit_counts_stopped_machines(make_world) -> None:
    world = make_world(machine_limit=1)
    world.stopped("m-1")
    assert "machine limit" in refusal(world.create, "m-2").error


def test_a_full_host_refuses_to_start_a_stopped_machine(world) -> None:
    machine = world.stopped()
    world.sim.faults.add("host_full_on_start", name="m-1")
    full = refusal(world.sim.start, "runners-a", machine.id)
    assert full.status == 409
    assert "insufficient memory" in full.error
    assert machine.state == "stopped"


def test_a_launch_that_breaks_leaves_nothing_behind(world) -> None:
    world.sim.faults.add("launch_5xx", app="runners-a")
    assert refusal(world.create).status == 503
    assert world.sim.state()["live"] == 0
    world.create()


def test_a_create_whose_answer_is_lost_has_happened(world) -> None:
    world.sim.faults.add("lost_create_answer", name="m-1")
    creation = world.sim.create("runners-a", world.request("m-1"))
    assert creation.answer_lost
    assert creation.machine.live
    assert not world.sim.create("runners-a", world.request("m-2")).answer_lost


def test_a_destroyed_machine_is_still_answered_and_an_unknown_id_is_not(world) -> None:
    machine = world.started()
    world.body.exit(machine.id)
    world.until(lambda: machine.state == "destroyed")
    assert world.sim.get("runners-a", machine.id).state == "destroyed"
    assert world.sim.events("runners-a", machine.id, 2)[0].type == "destroy"
    assert refusal(world.sim.get, "runners-a", "ffffffffffffff").status == 404
    assert refusal(world.sim.get, "runners-b", machine.id).status == 404
    assert refusal(world.sim.list_machines, "no-such-app").status == 404


def test_the_list_leaves_out_the_destroyed_unless_asked(world) -> None:
    gone, stays = world.started("gone"), world.create("stays")
    world.body.exit(gone.id)
    world.until(lambda: gone.state == "destroyed")
    assert [m.name for m in world.sim.list_machines("runners-a")] == ["stays"]
    assert {m.name for m in world.sim.list_machines("runners-a", include_deleted=True)} == {"gone", "stays"}
    assert stays.live


def test_the_list_is_filtered_by_state_region_and_every_metadata_pair(world) -> None:
    world.create("a", region="fra")
    world.create("b", config={"metadata": {"fly_gha_pool": "large", "fly_gha_fleet": "main"}})
    both = {"fly_gha_pool": "large", "fly_gha_fleet": "main"}
    assert [m.name for m in world.sim.list_machines("runners-a", metadata=both)] == ["b"]
    assert [m.name for m in world.sim.list_machines("runners-a", region="fra")] == ["a"]
    assert world.sim.list_machines("runners-a", states=["stopped"]) == []


def test_the_list_lags_behind_both_births_and_deaths(make_world) -> None:
    world = make_world(list_lag=20.0)
    machine = world.create()
    assert world.sim.list_machines("runners-a") == []
    world.pass_time(20)
    assert len(world.sim.list_machines("runners-a")) == 1
    world.sim.destroy("runners-a", machine.id, force=True)
    world.until(lambda: machine.state == "destroyed")
    assert len(world.sim.list_machines("runners-a")) == 1
    world.pass_time(20)
    assert world.sim.list_machines("runners-a") == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"config": {"image": ""}}, 400),
        ({"region": "xyz"}, 400),
        ({"config": {"guest": {"cpu_kind": "quantum", "cpus": 1, "memory_mb": 256}}}, 422),
        ({"config": {"guest": {"cpu_kind": "performance", "cpus": 8, "memory_mb": 8192}}}, 400),
        ({"config": {"env": {"A": 1}}}, 400),
        ({"config": {"restart": "no"}}, 400),
    ],
)
def test_a_config_that_no_host_could_run_is_refused(world, change, status) -> None:
    assert refusal(world.create, **change).status == status


def test_unknown_fields_of_a_config_are_kept_and_ignored(world) -> None:
    assert world.create(config={"rootfs_size_gb": 9}).config["rootfs_size_gb"] == 9


@pytest.mark.parametrize(
    "header", ["Bearer fm2_simulated", "FlyV1 fm2_simulated", "Bearer FlyV1 fm2_simulated"]
)
def test_the_token_is_taken_under_each_of_flys_schemes(world, header) -> None:
    world.sim.check_token(header)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer fm2_other", "FlyV1 "])
def test_any_other_token_is_refused_with_401_and_written_down(world, header) -> None:
    assert refusal(world.sim.check_token, header).status == 401
    assert world.last("refused")["action"] == "authenticate"


def test_every_entry_counts_the_live_machines_of_the_organization_and_of_the_pool(world) -> None:
    world.create("a")
    world.create("b", config={"metadata": {"fly_gha_pool": "large"}})
    machine = world.create("c")
    created = world.last("machine_created")
    assert (created["live"], created["live_pool"], created["pool"]) == (3, 2, "small")
    assert (created["app"], created["name"], created["id"]) == ("runners-a", "c", machine.id)
    world.sim.destroy("runners-a", machine.id, force=True)
    world.until(lambda: machine.state == "destroyed")
    ended = world.last("machine_destroyed")
    assert (ended["live"], ended["live_pool"]) == (2, 1)


def test_a_seed_repeats_ids_and_latencies_whatever_the_order_of_requests(make_world) -> None:
    def ends(names: list[str]) -> dict[str, tuple[str, float]]:
        world = make_world()
        machines = [world.create(name) for name in names]
        world.pass_time(60)
        return {m.name: (m.id, m.events[1].at - m.events[0].at) for m in machines}

    assert ends(["a", "b"]) == ends(["b", "a"])
    assert ends(["a"])["a"][0] != make_world(seed=8).create("a").id


def test_an_apps_secrets_are_in_every_boot_unless_the_config_ignores_them(make_world) -> None:
    world = make_world(app_secrets={"runners-a": {"DEPLOY_KEY": "marker"}})
    open_, closed = (
        world.stopped("open", skip_secrets=True),
        world.stopped("closed", config={"processes": [{"ignore_app_secrets": True}]}),
    )
    for machine in (open_, closed):
        world.sim.start("runners-a", machine.id)
        world.until(lambda machine=machine: machine.state == "started")
    assert world.body.running[open_.id].env["DEPLOY_KEY"] == "marker"
    assert "DEPLOY_KEY" not in world.body.running[closed.id].env
    assert "DEPLOY_KEY" not in world.body.running[world.started("other", app="runners-b").id].env
