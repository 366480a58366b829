"""Sweeps: what lost its partner, with our mark on it, seen twice a minute apart."""

import pytest

from machines.config import FLEET_TAG
from runners.model.reason import Reason
from runners.model.states import MachineState
from tests.fleet_world import IMAGE

NAMELESS = "test-gha-small-zzzzzzzzzz"


def stray(world, fleet="test", name="stray", **more):
    """A Machine that no row of ours knows."""
    metadata = {FLEET_TAG: fleet, "fly_gha_pool": "gha-small"} if fleet else {}
    request = {"name": name, "region": "iad", "config": {"image": IMAGE, "metadata": metadata}, **more}
    return world.fly.create("app-a", request).machine


def ghost(world, name=f"{NAMELESS}-1"):
    """A registration that no Runner of ours knows."""
    group = world.github.directory.group(1)
    return world.github.registrations.mint_jit("orgs/acme", name, group, ["fly-gha-small"], "_work")


async def watch(world, seconds, step=15.0):
    """Read the lists and plan, again and again."""
    passed = 0.0
    while passed < seconds:
        await world.read_lists()
        await world.plan()
        world.pass_time(step)
        passed += step


async def test_a_machine_with_our_tag_and_no_row_is_destroyed_after_two_readings(world):
    machine = stray(world)
    world.pass_time(10)
    await watch(world, 60)
    assert machine.live
    await watch(world, 30)
    world.pass_time(5)
    assert not machine.live
    (event,) = await world.events(verb="swept")
    assert (event.target, event.reason, event.outcome) == (
        "machine/stray", Reason.MACHINE_WITHOUT_ROW, "ok",
    )  # fmt: skip


@pytest.mark.parametrize("fleet", ["", "another"])
async def test_a_machine_without_our_tag_is_nobodys_to_destroy(world, fleet):
    machine = stray(world, fleet)
    world.pass_time(10)
    await watch(world, 300)
    assert machine.live
    assert world.net.count("DELETE", "/machines/") == 0


async def test_a_machine_whose_host_is_silent_is_left_alone(world):
    machine = stray(world)
    world.pass_time(10)
    world.fly.set_host(machine.id, "unreachable")
    await watch(world, 300)
    assert machine.live


async def test_one_reading_is_not_enough_however_old_it_grows(world):
    machine = stray(world)
    world.pass_time(10)
    await world.read_lists()
    world.pass_time(55)
    await world.plan(3)
    assert machine.live
    assert world.net.count("DELETE", "/machines/") == 0


async def test_a_busy_planner_sends_one_destroy_until_the_next_list(world):
    world.net.rule("answer", "DELETE", "/machines/", status=500)
    stray(world)
    world.pass_time(10)
    await watch(world, 90)
    sent = world.net.count("DELETE", "/machines/")
    await world.plan(10)
    assert world.net.count("DELETE", "/machines/") <= sent + 1
    assert sent <= 3
    assert (await world.events(verb="swept"))[-1].outcome == "try_later"


async def test_a_registration_of_our_form_without_a_runner_is_removed(world):
    ghost(world)
    await watch(world, 60)
    assert len(world.github.registrations.all()) == 1
    await watch(world, 30)
    assert world.github.registrations.all() == []
    assert (await world.events(verb="swept"))[0].reason is Reason.REGISTRATION_WITHOUT_RUNNER
    assert world.net.count("DELETE", "/actions/runners/") == 1


@pytest.mark.parametrize(
    "name", ["somebodys-runner", "testing-gha-small-zzzzzzzzzz-1", "test-1", "test-x-zzz-1"]
)
async def test_a_registration_of_another_form_is_left_alone(world, name):
    ghost(world, name)
    await watch(world, 200)
    assert len(world.github.registrations.all()) == 1


async def test_a_registration_that_runs_a_job_is_left_alone(world):
    """It is in no row of ours, and its job is real."""
    registration = ghost(world)
    identity = registration.identity
    session = world.github.sessions.open(identity.client_id, identity.proof(), "2.336.0")
    (job,) = world.queue("build")
    world.pass_time(4)
    assert world.github.sessions.poll(session.id).id == job.id
    world.github.sessions.renew(session.id, job.id)
    world.pass_time(30)
    for _ in range(20):
        await watch(world, 30)
        world.github.sessions.renew(session.id, job.id)
    assert [r.name for r in world.github.registrations.all()] == [registration.name]
    assert world.net.count("DELETE", "/actions/runners/") == 0


async def test_a_machine_that_ended_and_was_not_destroyed_is_destroyed(world):
    agent = await world.booted()
    machine = agent.machine
    machine.config["auto_destroy"] = False
    await agent.listen()
    await world.read_lists()
    await world.plan()
    agent.leave(0)
    world.pass_time(10)
    await watch(world, 200)
    world.pass_time(5)
    assert machine.state == "destroyed"
    await world.read_lists()
    await world.plan(2)
    assert (await world.machine(machine.name)).state is MachineState.GONE


async def test_nothing_of_ours_is_ever_swept_while_it_works(world):
    agent = await world.booted()
    await agent.listen()
    job = await agent.begin()
    for _ in range(30):
        await watch(world, 15)
        world.github.sessions.renew(agent.session.id, job.id)
        await world.deliver()
    assert await world.events(verb="swept") == ()
    assert world.net.count("DELETE", "") == 0
