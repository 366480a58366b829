"""An operator at a whole fleet: what is asked over HTTP happens at the next pass, and outlives a restart."""

import pytest
from pydantic import SecretStr

from runners.api.access import new_token
from runners.control.retention import retention_pass
from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import tokens
from runners.store.kept_answers import KEPT_S
from tests.fleet_world import open_world, pool


class Operator:
    """Somebody with a token, through whatever dispatcher is up."""

    def __init__(self, world, text: SecretStr):
        self.world = world
        self.text = text

    async def ask(self, path, **body):
        answer = await self.world.post(f"/v1/{path}", self.text.get_secret_value(), body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def world(tmp_path):
    pools = [pool(max_machines=6), pool("gha-medium", max_machines=3)]
    async with open_world(tmp_path, pools=pools) as opened:
        yield opened


@pytest.fixture
async def operator(world):
    made = new_token(
        lambda size: b"t" * size, name="operator", scopes=("read", "operate"), now=world.clock.now()
    )
    await world.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))
    return Operator(world, made.text)


async def restart(world):
    """Another dispatcher on the same store, after the first."""
    await world.http.aclose()
    await world.fleet.stop()
    world.fleet = world.make_fleet("second")
    await world.first_readings(world.fleet)
    world.http = world.connect()
    world.courier._http = world.http


async def listening(world, name):
    agent = await world.booted(name)
    await agent.listen()
    return agent


def states(rows):
    return sorted(str(row.state) for row in rows)


async def test_a_drained_pool_finishes_what_is_busy_ends_the_rest_and_takes_nothing_new(world, operator):
    busy = await listening(world, "long")
    job = await busy.begin()
    await world.deliver()
    await world.plan()
    idle = await listening(world, "second")
    answer = await operator.ask("pools/gha-small/drain", reason="ana: new image")
    assert "1 busy runner finishes its job" in answer["next"]

    waiting = (await world.arrive("late"))[0]
    await world.plan(2)
    assert (await world.runner(busy.runner)).state is RunnerState.BUSY
    assert (await world.runner(idle.runner)).state is RunnerState.RETIRING
    assert world.control.view.whys[waiting.id].reason is Reason.POOL_DRAINED

    await busy.finish(job)
    idle.leave()

    async def empty():
        return not await world.machines()

    await world.until(empty)
    assert (await world.job(job.id)).conclusion == "success"
    assert (await world.job(waiting.id)).state is JobState.QUEUED

    await restart(world)
    await world.read_lists()
    await world.plan(2)
    assert await world.machines() == (), "the drain outlived the dispatcher"

    await operator.ask("pools/gha-small/undrain")
    await world.plan()
    assert len(await world.machines()) >= 1
    assert any(runner.pool == "gha-small" for runner in await world.runners())


async def test_a_job_that_comes_between_the_wish_and_the_delete_keeps_its_runner(world, operator):
    agent = await listening(world, "build")
    answer = await operator.ask(f"runners/{agent.runner}/retire", reason="ana: slow")
    assert answer["changed"]
    job = world.github.sessions.poll(agent.session.id)
    world.github.sessions.renew(agent.session.id, job.id)
    await world.plan(2)
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY, "422 left it alone"
    await world.plan(3)
    assert agent.machine.id in world.body.running
    await agent.finish(job)


async def test_an_idle_runner_is_deregistered_and_its_machine_ends(world, operator):
    agent = await listening(world, "build")
    await operator.ask(f"runners/{agent.runner}/retire")
    await world.plan(2)
    row = await world.runner(agent.runner)
    assert (row.state, row.reason) == (RunnerState.RETIRING, Reason.OPERATOR_RETIRED)
    assert agent.machine.id in world.body.running, "it may end by itself first"

    async def gone():
        return (await world.runner(agent.runner)).state is RunnerState.GONE

    await world.until(gone)
    assert agent.machine.id not in world.body.running


async def test_by_force_a_busy_runner_ends_at_once_and_its_job_is_lost_by_that_name(world, operator):
    agent = await listening(world, "build")
    job = await agent.begin()
    world.pass_time(3.0)
    await world.deliver()
    await world.plan()
    refused = await world.post(f"/v1/runners/{agent.runner}/retire", operator.text.get_secret_value(), {})
    assert (refused.status_code, refused.json()["reason"]) == (409, "busy")
    answer = await operator.ask(f"runners/{agent.runner}/retire", force=True, reason="ana: mines coins")
    assert answer["loses_job"] == job.id
    await world.plan()
    assert agent.machine.id not in world.body.running
    world.pass_time(20.0)
    await world.read_lists()
    await world.plan()
    assert (await world.job(job.id)).lost is Reason.OPERATOR_FORCED
    assert (await world.runner(agent.runner)).state is RunnerState.RETIRING


async def test_a_wish_outlives_the_dispatcher_that_took_it(world, operator):
    agent = await listening(world, "build")
    await operator.ask(f"runners/{agent.runner}/retire")
    await restart(world)
    await world.plan(2)
    assert (await world.runner(agent.runner)).reason is Reason.OPERATOR_RETIRED


async def test_a_paused_fleet_launches_nothing_and_a_resumed_one_catches_up(world, operator):
    await operator.ask("fleet/pause")
    waiting = (await world.arrive("build"))[0]
    await world.plan(2)
    assert await world.machines() == ()
    assert world.control.view.whys[waiting.id].reason is Reason.FLEET_PAUSED
    await restart(world)
    await world.plan()
    assert await world.machines() == ()
    await operator.ask("fleet/resume")
    await world.plan()
    assert len(await world.machines()) >= 1


async def test_a_scale_makes_and_ends_spares_and_the_planner_never_passes_the_new_cap(world, operator):
    await operator.ask("pools/gha-medium/scale", stopped=2)
    for _ in range(3):
        await world.plan()
        world.pass_time(5.0)
        await world.read_lists()
    spares = [row for row in await world.machines() if row.pool == "gha-medium"]
    assert states(spares) == [MachineState.STOPPED] * 2
    await operator.ask("pools/gha-medium/scale", max_machines=1, stopped=1)

    async def one():
        return len([row for row in await world.machines() if row.pool == "gha-medium"]) == 1

    await world.until(one)


async def test_a_change_wakes_the_planner_after_it_was_committed(world, operator):
    planner = world.fleet._loop("planner")
    planner._woken.clear()
    await operator.ask("pools/gha-small/drain")
    assert planner._woken.is_set()
    planner._woken.clear()
    await operator.ask("pools/gha-small/drain")
    assert not planner._woken.is_set(), "nothing changed"


async def test_a_sweep_wakes_the_lists_and_ends_nothing_on_one_reading(world, operator):
    loops = [world.fleet._loop(name) for name in ("machine-list", "runner-list", "planner")]
    for loop in loops:
        loop._woken.clear()
    await operator.ask("sweep")
    assert all(loop._woken.is_set() for loop in loops)


async def test_answers_kept_for_repeats_go_after_a_day_with_the_retention_pass(world, operator):
    headers = {"authorization": f"Bearer {operator.text.get_secret_value()}", "idempotency-key": "k-1"}
    first = await world.http.post("/v1/fleet/pause", headers=headers)
    await retention_pass(world.control)
    assert (await world.http.post("/v1/fleet/pause", headers=headers)).content == first.content
    world.clock.time += KEPT_S
    await retention_pass(world.control)

    def count(conn):
        return conn.exec_driver_sql("select count(*) from kept_answers").scalar_one()

    assert await world.run(count) == 0
