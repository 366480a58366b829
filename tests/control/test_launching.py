"""Launches: what is refused, full, or lost at Fly, and what the fleet does about it."""

import asyncio

import pytest

from runners.control.machine_list import machine_list_pass
from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from tests.fleet_world import FLY_TOKEN, met, open_world, pool

CREATE = r"/machines$"


def creates(world):
    return world.net.count("POST", CREATE)


async def idle_plans(world, times=5):
    """Passes of a planner that something keeps waking."""
    for _ in range(times):
        await world.plan()
        world.pass_time(0.2)


async def test_intents_are_committed_before_any_call(world):
    create = world.net.rule("hold", "POST", CREATE)
    await world.arrive("build")
    planning = asyncio.create_task(world.plan())
    await create.reached.wait()
    (machine,), (runner,) = await world.machines(), await world.runners()
    assert (machine.state, runner.state) == (MachineState.CREATING, RunnerState.REQUESTED)
    assert runner.mint_sent_at == world.clock.now()
    assert world.steps[0] == "intents.committed"
    create.released.set()
    await planning
    (machine,), (runner,) = await world.machines(), await world.runners()
    assert (machine.state, runner.state) == (MachineState.STARTING, RunnerState.LAUNCHING)


async def test_a_pass_does_not_wait_for_its_calls(world):
    """A create without an answer must not hold up the next job."""
    world.net.rule("hold", "POST", CREATE, times=1)
    await world.arrive("one")
    planning = asyncio.create_task(world.plan())
    await met(lambda: world.control.effects.running)
    await world.arrive("two")
    second = asyncio.create_task(world.plan())
    await met(lambda: creates(world) == 2)
    world.net.rules[0].released.set()
    await asyncio.gather(planning, second)
    assert len(await world.machines()) == 2


async def test_a_lost_create_answer_is_found_by_name_and_nothing_is_created_twice(world):
    world.net.rule("lose", "POST", CREATE, times=1)
    await world.arrive("build")
    await world.plan()
    (row,) = await world.machines()
    assert (row.state, row.fly_id) == (MachineState.CREATING, None)
    lost = [event for event in await world.events(target=f"machine/{row.name}") if event.outcome == "lost"]
    assert [event.reason for event in lost] == [Reason.LAUNCH_LOST]
    await idle_plans(world)
    assert creates(world) == 1
    world.pass_time(5)
    await machine_list_pass(world.control)
    await world.plan()
    (row,) = await world.machines()
    assert row.state is MachineState.STARTING
    assert row.fly_id == world.fly.state()["machines"][0]["id"]
    world.pass_time(10)
    agent = world.agent()
    await agent.listen()
    assert (await agent.begin()).name == "build"
    assert creates(world) == 1


async def test_the_simulators_own_lost_answer_ends_at_our_deadline(tmp_path):
    async with open_world(tmp_path, timing={"upstream_deadline": 2}) as world:
        world.fly.faults.add("lost_create_answer")
        await world.arrive("build")
        await world.plan()
        (row,) = await world.machines()
        assert row.fly_id is None
        await machine_list_pass(world.control)
        await world.plan()
        (row,) = await world.machines()
        assert row.fly_id is not None
        assert creates(world) == 1
        assert world.fly.faults.unfired() == ()


async def test_a_create_that_never_was_is_given_up_only_after_two_readings_that_agree(world):
    world.net.rule("down", "POST", CREATE, times=1)
    world.net.rules[0].what = "answer"
    world.net.rules[0].status = 504
    await world.arrive("build")
    await world.plan()
    (lost,) = await world.machines()
    world.pass_time(20)
    await machine_list_pass(world.control)
    await world.plan()
    rows = {row.name: row for row in await world.machines()}
    assert rows[lost.name].state is MachineState.CREATING
    for _ in range(5):
        world.pass_time(15)
        await machine_list_pass(world.control)
        await world.plan()
    gone = await world.machine(lost.name)
    assert (gone.state, gone.reason) == (MachineState.GONE, Reason.LAUNCH_LOST)


async def test_a_region_without_room_is_left_for_the_next(world):
    world.fly.faults.add("no_capacity", times=10, region="iad")
    await world.arrive("build")
    await world.plan(2)
    rows = await world.machines()
    assert [row.region for row in rows] == ["ewr"]
    assert creates(world) == 2
    refused = [e for e in await world.events() if e.reason is Reason.LAUNCH_NO_CAPACITY and e.verb == "moved"]
    assert len(refused) == 2
    await world.arrive("another")
    await world.plan(2)
    assert [row.region for row in await world.machines()] == ["ewr", "ewr"]
    assert creates(world) == 3


async def test_with_no_room_anywhere_the_job_waits_and_says_so(world):
    world.fly.faults.add("no_capacity", times=10)
    (job,) = await world.arrive("build")
    await idle_plans(world, 10)
    assert creates(world) == 2
    why = world.control.view.whys[job.id]
    assert why.reason is Reason.NO_CAPACITY
    assert why.until > world.clock.now()
    world.pass_time(world.settings.timing.capacity_memory)
    await world.plan()
    assert creates(world) == 3


@pytest.mark.parametrize(
    ("status", "words"),
    [(401, "token"), (403, "permit"), (404, "app"), (400, "wrong"), (422, "wrong")],
)
async def test_a_refusal_for_good_does_not_become_a_storm(world, status, words):
    world.net.rule("answer", "POST", CREATE, status=status, body={"error": "no"})
    jobs = await world.arrive("one", "two")
    await idle_plans(world, 12)
    assert creates(world) <= 2
    why = world.control.view.whys[jobs[0].id]
    assert why.reason is Reason.LAUNCH_REFUSED
    assert words in why.detail
    assert why.until is not None
    assert (await world.machines(), [r.state for r in await world.runners()]) == ((), [])
    assert world.github.registrations.all() == []


async def test_an_app_that_refuses_for_good_leaves_the_pools_other_apps_open(tmp_path):
    async with open_world(tmp_path, pools=[pool(apps=["app-a", "app-b"])]) as world:
        world.net.rule("answer", "POST", "/apps/app-a/machines$", status=403, body={"error": "no"})
        await world.arrive("build")
        await world.plan(2)
        assert [(row.app, row.region) for row in await world.machines()] == [("app-b", "iad")]
        await world.arrive("another")
        await world.plan(2)
        assert [row.app for row in await world.machines()] == ["app-b", "app-b"]
        assert world.net.count("POST", "/apps/app-a/machines$") == 1


async def test_a_rate_limited_create_waits_for_its_app(world):
    world.net.rule("answer", "POST", CREATE, status=429, body={"error": "rate limit exceeded"}, times=1)
    (job,) = await world.arrive("build")
    await idle_plans(world, 5)
    assert creates(world) == 1
    assert world.control.view.whys[job.id].reason is Reason.FLY_BREAKER_OPEN
    world.pass_time(world.settings.timing.fly_pause)
    await world.plan()
    assert creates(world) == 2


async def test_a_missing_fly_token_is_said_and_nothing_is_tried(world):
    del world.environ["FLY_API_TOKEN"]
    await world.fleet._loop("credentials").once()
    (job,) = await world.arrive("build")
    await idle_plans(world)
    assert creates(world) == 0
    assert str(world.control.view.whys[job.id]) == "credential_missing: FLY_API_TOKEN is missing"
    world.environ["FLY_API_TOKEN"] = FLY_TOKEN
    await world.fleet._loop("credentials").once()
    await world.plan()
    assert creates(world) == 1


async def stopped_spare(world):
    """A pool's one stopped spare, ready to be started."""
    await world.plan()
    world.pass_time(5)
    await world.read_lists()
    await world.plan()
    world.pass_time(10)
    (spare,) = await world.machines()
    assert spare.state is MachineState.STOPPED
    return spare


@pytest.fixture
async def spare_world(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=1, regions=["iad"])]) as world:
        yield world


async def test_a_stopped_spare_is_started_for_a_job_and_replaced(spare_world):
    world = spare_world
    spare = await stopped_spare(world)
    await world.arrive("build")
    await world.plan()
    row = await world.machine(spare.name)
    assert row.state is MachineState.STARTING
    assert row.boot.launched_at == world.clock.now()
    assert world.net.count("POST", "/start$") == 1
    assert creates(world) == 2
    world.pass_time(5)
    await world.agent().listen()


async def test_a_spare_whose_host_is_full_is_replaced_at_once_and_not_asked_again(spare_world):
    world = spare_world
    spare = await stopped_spare(world)
    world.fly.faults.add("host_full_on_start", times=100)
    (job,) = await world.arrive("build")
    for _ in range(12):
        await world.plan()
        world.pass_time(1.5)
    assert world.net.count("POST", "/start$") == 1
    assert world.net.count("POST", "/generate-jitconfig$") <= 2
    world.pass_time(20)
    await world.read_lists()
    await world.plan(3)
    gone = await world.machine(spare.name)
    assert gone.state is MachineState.GONE
    started = world.started()
    assert [machine.name for machine in started] != [spare.name]
    agent = world.agent(started[0])
    await agent.listen()
    assert (await agent.begin()).id == job.id


async def test_a_start_that_is_refused_for_good_does_not_become_a_storm(spare_world):
    world = spare_world
    await stopped_spare(world)
    world.net.rule("answer", "POST", "/start$", status=401, body={"error": "no"})
    await world.arrive("build")
    await idle_plans(world, 12)
    assert world.net.count("POST", "/start$") <= 2
    assert world.net.count("POST", "/generate-jitconfig$") <= 3


async def test_a_start_without_an_answer_is_not_sent_again(spare_world):
    world = spare_world
    spare = await stopped_spare(world)
    world.net.rule("lose", "POST", "/start$", times=1)
    (job,) = await world.arrive("build")
    await idle_plans(world)
    assert world.net.count("POST", "/start$") == 1
    world.pass_time(10)
    agent = world.agent(world.fly.peek(spare.fly_id))
    await agent.listen()
    assert (await agent.begin()).id == job.id


async def test_a_machine_that_fly_no_longer_knows_is_gone(world):
    """Fly forgets destroyed Machines in the end: 404 by id ends the row too."""
    agent = await world.booted()
    row = await world.machine(agent.machine.name)
    agent.leave(0)
    world.pass_time(10)
    world.net.rule("answer", "GET", f"/machines/{row.fly_id}$", status=404, body={"error": "not found"})
    await machine_list_pass(world.control)
    await world.plan()
    gone = await world.machine(row.name)
    assert (gone.state, gone.reason) == (MachineState.GONE, Reason.MACHINE_GONE)


async def test_a_list_that_cannot_be_read_ends_nothing(world):
    agent = await world.booted()
    agent.leave(1)
    world.pass_time(120)
    world.net.rule("answer", "GET", "/machines", status=500)
    for _ in range(3):
        with pytest.raises(Exception, match="Fly failed"):
            await machine_list_pass(world.control)
        await world.plan()
        world.pass_time(5)
    assert (await world.machine(agent.machine.name)).state is not MachineState.GONE


async def test_one_apps_failing_list_does_not_hide_the_others(tmp_path):
    async with open_world(tmp_path, pools=[pool(apps=["app-a", "app-b"])]) as world:
        world.net.rule("answer", "GET", "/apps/app-a/machines$", status=500)
        with pytest.raises(Exception, match="app-a"):
            await machine_list_pass(world.control)
        readings = world.control.readings.fly(["app-a", "app-b"], world.clock.now())
        assert readings["app-a"] is None
        assert readings["app-b"] is not None
