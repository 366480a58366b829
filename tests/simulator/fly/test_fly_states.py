"""A simulated Machine goes through Fly's states and remembers how it ended."""

import pytest

from simulator.fly.refusals import FlyRefusal


def test_a_created_machine_boots_by_itself_and_its_end_destroys_it(world) -> None:
    machine = world.create()
    assert machine.state == "created"
    assert [e.status for e in machine.events] == ["created"]
    world.until(lambda: machine.state == "started")
    world.body.exit(machine.id, 0)
    assert machine.state == "destroying"
    world.until(lambda: machine.state == "destroyed")
    assert world.kinds() == ["machine_created", "machine_started", "machine_exited", "machine_destroyed"]
    assert [(e.type, e.status) for e in machine.events] == [
        ("launch", "created"),
        ("start", "started"),
        ("exit", "stopped"),
        ("destroy", "destroyed"),
    ]


def test_the_exit_event_has_exactly_the_recorded_fields(world) -> None:
    machine = world.started()
    world.body.exit(machine.id, 22)
    exit_event = machine.events[-1].request["exit_event"]
    exited_at = exit_event.pop("exited_at")
    assert exited_at.endswith("Z")
    assert len(exited_at) == len("2026-10-10T04:06:01.334578044Z")
    assert exit_event == {
        "requested_stop": False,
        "restarting": False,
        "oom_killed": False,
        "guest_exit_code": 22,
        "exit_code": 22,
        "guest_signal": -1,
        "signal": -1,
        "guest_error": "",
        "error": "",
    }


def test_auto_destroy_acts_on_failure_too_and_its_absence_leaves_a_stopped_machine(world) -> None:
    failing = world.started("fails")
    staying = world.started("stays", config={"auto_destroy": False})
    world.body.exit(failing.id, 1)
    world.body.exit(staying.id, 0)
    world.pass_time(30)
    assert (failing.state, staying.state) == ("destroyed", "stopped")


def test_a_machine_that_forgets_its_restart_policy_comes_back_after_a_failure(world) -> None:
    machine = world.started(config={"restart": {}})
    world.body.exit(machine.id, 1)
    assert machine.events[-2].request["exit_event"]["restarting"] is True
    world.until(lambda: machine.state == "started")
    world.body.exit(machine.id, 0)
    world.until(lambda: machine.state == "destroyed")
    assert len(world.sim.journal.of("machine_started")) == 2


def test_out_of_memory_is_exit_137_without_a_signal(world) -> None:
    world.sim.faults.add("out_of_memory", params={"after_s": 5}, name="m-1")
    machine = world.started()
    world.until(lambda: machine.state == "destroyed")
    exit_event = machine.events[2].request["exit_event"]
    assert (exit_event["exit_code"], exit_event["oom_killed"], exit_event["signal"]) == (137, True, -1)
    assert world.last("machine_exited")["oom"] is True


def test_a_machine_that_never_boots_stays_created_and_can_be_destroyed(world) -> None:
    world.sim.faults.add("never_boots", name="m-1")
    machine = world.create()
    world.pass_time(3600)
    assert machine.state == "created"
    assert world.last("fault_fired")["id"] == machine.id
    world.sim.destroy("runners-a", machine.id, force=True)
    world.until(lambda: machine.state == "destroyed")
    assert "machine_started" not in world.kinds()


def test_a_spare_is_created_without_booting_and_starts_fast_later(world) -> None:
    machine = world.create(skip_launch=True)
    with pytest.raises(FlyRefusal, match="unable to start machine from current state: 'created'") as refused:
        world.sim.start("runners-a", machine.id)
    assert refused.value.status == 412
    world.until(lambda: machine.state == "stopped")
    asked = world.clock.time
    assert world.sim.start("runners-a", machine.id) == "stopped"
    assert machine.state == "starting"
    world.until(lambda: machine.state == "started")
    assert 0.2 < world.clock.time - asked < 3
    assert world.sim.start("runners-a", machine.id) == "started"


def test_where_spares_stay_created_a_start_is_refused_until_the_image_is_in_place(make_world) -> None:
    world = make_world(skip_launch="created", capacity={"ams": 1})
    machine = world.create(skip_launch=True)
    with pytest.raises(FlyRefusal, match="unable to start machine from current state: 'created'") as refused:
        world.sim.start("runners-a", machine.id)
    assert refused.value.status == 412
    world.until(lambda: machine.in_place)
    assert machine.state == "created"
    assert world.sim.start("runners-a", machine.id) == "created"
    world.until(lambda: machine.state == "started")
    assert "machine_started" in world.kinds()


def test_a_spare_that_was_never_started_takes_no_room_of_its_region(make_world) -> None:
    world = make_world(skip_launch="created", capacity={"ams": 1})
    world.create("spare", skip_launch=True)
    assert world.create("m-1").region == "ams"


def test_starting_a_machine_that_is_starting_is_refused_with_412(world) -> None:
    machine = world.stopped()
    world.sim.start("runners-a", machine.id)
    with pytest.raises(FlyRefusal, match="still attempting to start") as refused:
        world.sim.start("runners-a", machine.id)
    assert refused.value.status == 412


def test_stop_asks_with_a_signal_then_kills_and_the_machine_is_busy_for_a_while(world) -> None:
    machine = world.started(config={"auto_destroy": False})
    world.sim.stop("runners-a", machine.id, {"signal": "SIGTERM", "timeout": "30s"})
    assert machine.state == "stopping"
    assert world.body.done == [("signal", machine.id, 15)]
    world.pass_time(29)
    assert machine.state == "stopping"
    world.pass_time(2)
    assert world.body.done[-1] == ("kill", machine.id, 9)
    assert machine.state == "stopped"
    assert world.last("machine_exited")["requested_stop"] is True
    with pytest.raises(FlyRefusal, match="still active, refusing to start") as refused:
        world.sim.start("runners-a", machine.id)
    assert refused.value.status == 412
    world.pass_time(60)
    world.sim.start("runners-a", machine.id)


def test_a_body_that_ends_on_the_signal_is_not_killed(world) -> None:
    machine = world.started()
    world.sim.stop("runners-a", machine.id)
    assert world.body.done == [("signal", machine.id, 2)]
    world.body.exit(machine.id, 0)
    world.pass_time(60)
    assert machine.state == "destroyed"
    assert len(world.body.done) == 1


def test_destroying_a_running_machine_needs_force_and_kills_its_body_first(world) -> None:
    machine = world.started()
    with pytest.raises(FlyRefusal) as refused:
        world.sim.destroy("runners-a", machine.id)
    assert refused.value.status == 412
    world.sim.destroy("runners-a", machine.id, force=True)
    assert world.body.running == {}
    world.until(lambda: machine.state == "destroyed")
    world.sim.destroy("runners-a", machine.id, force=True)
    assert len(world.sim.journal.of("machine_destroyed")) == 1


def test_a_machine_destroyed_while_it_boots_never_starts(world) -> None:
    machine = world.create()
    world.sim.destroy("runners-a", machine.id, force=True)
    world.pass_time(60)
    assert machine.state == "destroyed"
    assert "machine_started" not in world.kinds()


def test_a_lost_host_freezes_the_body_hides_the_config_and_comes_back(world) -> None:
    world.sim.faults.add("host_lost", params={"after_s": 10, "for_s": 60})
    machine = world.started()
    world.pass_time(11)
    assert machine.host_status == "unreachable"
    assert world.body.done == [("freeze", machine.id, 0)]
    with pytest.raises(FlyRefusal) as refused:
        world.sim.stop("runners-a", machine.id)
    assert refused.value.status == 408
    world.pass_time(61)
    assert machine.host_status == "ok"
    assert world.body.done[-1][0] == "thaw"


def test_every_latency_is_divided_by_the_scale(make_world) -> None:
    def boot_time(scale: float) -> float:
        world = make_world(scale=scale)
        began = world.clock.time
        world.started()
        return world.clock.time - began

    assert boot_time(20.0) == pytest.approx(boot_time(1.0) / 20, rel=1e-3)


def test_boot_times_have_the_reported_median_and_tail(make_world) -> None:
    world = make_world(scale=1000.0)
    machines = [world.create(f"m-{n}") for n in range(400) if not world.pass_time(1)]
    times = sorted(m.events[1].at - m.events[0].at for m in machines if len(m.events) > 1)
    assert 2.5 < times[len(times) // 2] * 1000 < 3.5
    assert 6.0 < times[int(len(times) * 0.95)] * 1000 < 10.0
