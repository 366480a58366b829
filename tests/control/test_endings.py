"""Endings: DELETE first, 422 means busy, and nothing that runs a job is killed."""

from functools import partial

from runners.control.apply import apply
from runners.control.observe import _record_all, observe
from runners.control.planner import planner_pass
from runners.model.reason import Reason, Why
from runners.model.states import MachineState, RunnerState
from runners.planning.facts import JobLost, RunnerMoved
from runners.planning.plan import Destroy, Plan, Retire
from runners.planning.planner import plan
from runners.store import lease, runners, sealed
from tests.fleet_world import open_world, pool

DELETE = "/actions/runners/"


async def idle_without_a_job(world):
    """A runner online at GitHub whose job was cancelled before it came."""
    agent = await world.booted()
    await agent.listen()
    for job in list(world.github.queue.jobs.values()):
        world.github.queue.cancel(job.id)
    world.pass_time(5)
    await world.deliver()
    return agent


async def commit(world, snapshot, decided):
    """What the planner does with a plan, in the term in which it was made."""
    term = await world.run(lambda conn: lease.term(conn, world.control.holder))
    await apply(world.control, snapshot, decided, term)


async def retired(world, agent):
    """The same after its idle time."""
    world.pass_time(world.settings.timing.idle_timeout + 1)
    await world.plan()
    return await world.runner(agent.runner)


async def test_a_deleted_registration_ends_its_listener_and_then_its_machine(world):
    agent = await idle_without_a_job(world)
    runner = await retired(world, agent)
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.IDLE_TOO_LONG)
    assert runner.deregistered_at == world.clock.now()
    assert world.github.registrations.all() == []
    agent.leave(0)
    world.pass_time(10)
    await world.read_lists()
    await world.plan()
    assert (await world.runner(agent.runner)).state is RunnerState.GONE
    assert (await world.machine(agent.machine.name)).state is MachineState.GONE
    assert world.net.count("DELETE", "/machines/") == 0


async def test_a_registration_that_is_gone_already_is_as_good_as_deleted(world):
    agent = await idle_without_a_job(world)
    world.github.registrations.remove(world.github.registrations.all()[0], "expired")
    runner = await retired(world, agent)
    assert runner.state is RunnerState.RETIRING
    assert runner.deregistered_at is not None


async def test_a_runner_that_github_calls_busy_goes_back_to_busy_and_lives(world):
    agent = await world.booted()
    await agent.listen()
    agent.wait(world.settings.timing.idle_timeout)
    job = world.github.sessions.poll(agent.session.id)
    world.github.sessions.renew(agent.session.id, job.id)
    world.pass_time(2)
    await world.plan()
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.reason) == (RunnerState.BUSY, Reason.BUSY)
    assert world.net.count("DELETE", DELETE) == 1
    for _ in range(20):
        world.pass_time(30)
        world.github.sessions.renew(agent.session.id, job.id)
        await world.deliver()
        await world.plan()
    assert world.net.count("DELETE", "") == 1
    assert len(world.started()) == 1


async def test_a_machine_that_does_not_end_after_its_registration_is_destroyed(world):
    agent = await idle_without_a_job(world)
    await retired(world, agent)
    world.pass_time(world.settings.timing.retire_grace - 5)
    await world.plan()
    assert world.net.count("DELETE", "/machines/") == 0
    world.pass_time(6)
    await world.plan()
    assert world.net.count("DELETE", "/machines/") == 1
    world.pass_time(10)
    await world.read_lists()
    await world.plan()
    assert await world.machines() == ()


async def test_a_delete_without_an_answer_is_sent_again_and_not_at_once(world):
    agent = await idle_without_a_job(world)
    world.net.rule("lose", "DELETE", DELETE, times=1)
    runner = await retired(world, agent)
    assert runner.deregistered_at is None
    for _ in range(5):
        await world.plan()
        world.pass_time(1)
    assert world.net.count("DELETE", DELETE) == 1
    world.pass_time(world.settings.timing.delete_again)
    await world.plan()
    assert world.net.count("DELETE", DELETE) == 2
    assert (await world.runner(agent.runner)).deregistered_at is not None


async def test_a_destroy_without_effect_is_sent_again_and_not_at_once(world):
    agent = await idle_without_a_job(world)
    await retired(world, agent)
    world.net.rule("answer", "DELETE", "/machines/", status=500)
    world.pass_time(world.settings.timing.retire_grace + 1)
    for _ in range(5):
        await world.plan()
        world.pass_time(1)
    assert world.net.count("DELETE", "/machines/") == 1
    world.pass_time(world.settings.timing.destroy_again)
    await world.plan()
    assert world.net.count("DELETE", "/machines/") == 2


async def test_a_runner_that_never_came_online_ends(world):
    agent = await world.booted()
    await agent.take()
    world.pass_time(world.settings.timing.online_deadline + 1)
    await world.plan()
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.NEVER_ONLINE)


async def test_a_machine_that_never_boots_is_replaced(world):
    world.fly.faults.add("never_boots")
    (job,) = await world.arrive("build")
    await world.plan()
    (dead,) = await world.machines()
    world.pass_time(world.settings.timing.boot_deadline + 1)
    await world.plan(3)
    assert world.net.count("POST", "/machines$") == 2
    world.pass_time(10)
    await world.read_lists()
    await world.plan(2)
    assert (await world.machine(dead.name)).state is MachineState.GONE
    agent = world.agent()
    await agent.listen()
    assert (await agent.begin()).id == job.id


async def test_a_machine_that_dies_under_its_job_loses_the_job_with_a_reason(world):
    agent = await world.booted()
    await agent.listen()
    job = await agent.begin()
    world.pass_time(4)
    await world.deliver()
    world.body.exit(agent.machine.id, 137, 9)
    world.pass_time(10)
    await world.read_lists()
    await world.plan()
    row = await world.job(job.id)
    assert row.lost is Reason.MACHINE_LOST
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.MACHINE_LOST)


async def test_only_max_lifetime_ends_a_busy_runner(tmp_path):
    async with open_world(tmp_path, timing={"max_lifetime": 1000}) as world:
        agent = await world.booted()
        await agent.listen()
        job = await agent.begin()
        for _ in range(9):
            world.pass_time(100)
            world.github.sessions.renew(agent.session.id, job.id)
            await world.deliver()
            await world.plan()
        assert world.net.count("DELETE", "/machines/") == 0
        world.pass_time(300)
        await world.plan()
        assert world.net.count("DELETE", "/machines/") == 1


async def test_a_plan_made_before_a_job_came_does_not_retire_its_runner(world):
    """The webhook comes between the planner's view and its commit."""
    agent = await idle_without_a_job(world)
    world.pass_time(world.settings.timing.idle_timeout + 1)
    snapshot = await observe(world.control)
    decided = plan(snapshot)
    assert [action.runner for action in decided.actions if isinstance(action, Retire)] == [agent.runner]
    await agent.hook("started")
    await commit(world, snapshot, decided)
    await world.control.effects.settled()
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY
    assert world.net.count("DELETE", "") == 0


async def test_a_plan_made_before_the_claim_does_not_destroy_the_machine(tmp_path):
    async with open_world(tmp_path, timing={"boot_deadline": 60}) as world:
        agent = await world.booted()
        world.pass_time(61)
        snapshot = await observe(world.control)
        decided = plan(snapshot)
        assert [action.machine for action in decided.actions if isinstance(action, Destroy)]
        await agent.take()
        await commit(world, snapshot, decided)
        await world.control.effects.settled()
        assert (await world.runner(agent.runner)).state is RunnerState.CLAIMED
        assert world.net.count("DELETE", "") == 0


async def test_a_destroy_decided_before_the_runner_was_busy_again_is_dropped(world):
    agent = await idle_without_a_job(world)
    await retired(world, agent)
    snapshot = await observe(world.control)
    await world.run(
        lambda conn: runners.move(
            conn, agent.runner, RunnerState.BUSY, at=world.clock.now(), actor="test", reason=Reason.BUSY
        )
    )
    why = Why(Reason.DID_NOT_EXIT)
    await commit(world, snapshot, Plan((Destroy(agent.machine.name, why),)))
    await world.control.effects.settled()
    assert world.net.count("DELETE", "/machines/") == 0


async def test_a_spare_bound_since_the_plan_is_not_destroyed(tmp_path):
    async with open_world(tmp_path, pools=[pool(ready=1)]) as world:
        await world.plan()
        world.pass_time(15)
        spare = world.agent()
        await spare.claim()
        snapshot = await observe(world.control)
        await world.arrive("build")
        await world.plan()
        await spare.take()
        decided = Plan((Destroy(spare.machine.name, Why(Reason.SURPLUS)),))
        await commit(world, snapshot, decided)
        await world.control.effects.settled()
        assert world.net.count("DELETE", "/machines/") == 0


async def test_nothing_sealed_outlives_its_runner(world):
    """An acknowledgement may be lost: what was sealed goes with the Runner at the latest."""
    agent = await world.booted()
    runner = (await agent.claim()).json()["runner"]
    assert await world.run(lambda conn: sealed.get(conn, runner)) is not None
    agent.leave(21)
    world.pass_time(10)
    await world.read_lists()
    await world.plan(2)
    assert (await world.runner(runner)).state in (RunnerState.RETIRING, RunnerState.GONE)
    assert await world.run(lambda conn: sealed.get(conn, runner)) is None


async def test_a_plan_is_dropped_when_another_dispatcher_has_planned_since(world):
    """Both answered the same demand; the cap holds whoever commits last."""
    await world.plan()
    term = await world.run(lambda conn: lease.term(conn, world.control.holder))
    await world.arrive("build")
    snapshot = await observe(world.control)
    decided = plan(snapshot)
    assert decided.actions
    world.pass_time(world.settings.timing.planner_period * 5)
    replica = world.make_fleet("replica")
    await world.first_readings(replica)
    await planner_pass(replica.world)
    await replica.world.effects.settled()
    await apply(world.control, snapshot, decided, term)
    await world.control.effects.settled()
    assert len(await world.machines()) == 1
    await replica.stop()


async def test_a_fact_from_before_the_jobs_end_makes_no_runner_busy_again(world):
    """The completed webhook comes between the observer's view and its record."""
    agent = await world.booted()
    await agent.listen()
    snapshot = await observe(world.control)
    job = await agent.begin()
    await agent.finish(job)
    world.pass_time(4)
    await world.deliver()
    busy = RunnerMoved(agent.runner, RunnerState.BUSY, Why(Reason.OBSERVED, "the runner list shows it busy"))
    lost = JobLost(job.id, Why(Reason.MACHINE_LOST))
    await world.run(partial(_record_all, snapshot=snapshot, facts=(busy, lost)))
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.JOB_COMPLETED)
    assert (await world.job(job.id)).lost is None
