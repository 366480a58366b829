"""What a dispatcher finds when it comes back late: each of these once left something behind, or took long."""

import pytest

from runners.control.planner import planner_pass
from runners.control.readings import Readings
from runners.model.reason import Reason
from runners.model.snapshot import SeenRunner
from runners.model.states import MachineState, RunnerState
from runners.store import runners, sealed
from tests.fleet_world import open_world, pool

SCOPE = "orgs/acme"


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture
async def token_world(tmp_path):
    async with open_world(tmp_path, pools=[pool(registration="token")]) as world:
        yield world


async def test_a_machine_that_fly_has_forgotten_by_now_is_gone(world):
    agent = await world.booted()
    await agent.listen()
    job = await agent.begin()
    await agent.finish(job)
    world.pass_time(60)
    world.net.rule(
        "answer", "GET", rf"/machines/{agent.machine.id}$", status=404, body={"error": "not found"}
    )

    await world.read_lists()
    await world.plan()

    assert (await world.machine(agent.machine.name)).state is MachineState.GONE


async def test_a_machine_whose_token_was_never_sealed_soon_gets_another_runner(token_world):
    world = token_world
    agent = await world.booted()
    (first,) = await world.runners()

    def died_before_the_record(conn):
        sealed.delete(conn, first.name)
        runners.update(conn, first.name, minted_at=None)

    await world.run(died_before_the_record)
    world.pass_time(world.settings.timing.launch_deadline)
    await world.plan(3)

    assert (await agent.take())["runner"] == f"{agent.machine.name}-2"
    assert (await world.runner(first.name)).reason is Reason.MINT_LOST


async def test_a_mint_answered_after_its_runner_was_retired_is_not_kept_and_its_record_is_removed(world):
    held = world.net.rule("hold", "POST", "generate-jitconfig")
    (job,) = await world.arrive("build")
    await planner_pass(world.control)
    await held.reached.wait()
    world.github.queue.cancel(job.id)
    world.pass_time(4)
    await world.deliver()
    await planner_pass(world.control)
    (runner,) = await world.runners()
    assert runner.state is RunnerState.RETIRING

    held.released.set()
    await world.control.effects.settled()
    assert await world.run(lambda conn: sealed.get(conn, runner.name)) is None
    await world.plan(2)

    assert world.github.registrations.all() == []


async def test_a_machine_that_waited_through_a_long_outage_serves_its_job_afterwards(world):
    agent = await world.booted()
    await world.read_lists()
    await world.plan()
    await world.fleet.stop()
    world.pass_time(world.settings.timing.boot_deadline + 120)
    world.fleet = world.make_fleet("another")
    world.http = world.connect()
    await world.open()
    await world.plan()

    await agent.listen()

    assert await agent.begin() is not None
    assert [row.fly_id for row in await world.machines()] == [agent.machine.id]


def test_a_registration_that_had_its_runner_when_the_list_was_asked_for_is_not_without_one():
    readings = Readings(machine_period=15, runner_period=30)

    def read(at, *owned):
        seen = [SeenRunner(1, "test-gha-small-0123456789-1", online=True, busy=False, first_seen_at=at)]
        readings.runners_read(SCOPE, at, frozenset(owned), (), seen)
        return next(iter(readings.github([SCOPE], at)[SCOPE].runners.values())).first_seen_at

    assert read(0.0, "test-gha-small-0123456789-1") == 0.0
    assert read(60.0, "test-gha-small-0123456789-1") == 60.0
    assert read(90.0) == 60.0
    assert read(120.0) == 60.0


async def test_endings_whose_calls_never_left_are_sent_by_the_next_dispatcher(world):
    world.fly.faults.add("never_boots")
    await world.arrive("build")
    await world.plan()
    (runner,) = await world.runners()
    deletes = world.net.rule("down", "DELETE", "")
    world.pass_time(world.settings.timing.boot_deadline + 1)
    await world.plan()
    assert deletes.met == 2
    (ending,) = [each for each in await world.machines() if each.name == runner.machine_name]
    assert ending.destroy_sent_at is not None

    await world.fleet.stop()
    world.fleet = world.make_fleet()
    await world.open()
    world.net.mend()

    async def both_are_gone():
        at_fly = {machine["name"]: machine["state"] for machine in world.fly.state()["machines"]}
        at_github = {each.name for each in world.github.registrations.all()}
        return at_fly.get(runner.machine_name) in (None, "destroyed") and runner.name not in at_github

    await world.until(both_are_gone, at_most=120.0)
