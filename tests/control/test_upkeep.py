"""Retention, credentials, the lease, and the books: what keeps a fleet in order while nothing happens."""

import pytest

from runners.control.credentials import credentials_pass
from runners.control.planner import planner_pass
from runners.control.retention import retention_pass
from runners.model.reason import Reason
from runners.store import deliveries, events, lease, sealed
from runners.store.retention import BATCH
from tests.fleet_world import START, open_world, pool

DAY = 86_400.0


async def finished_job(world):
    agent = await world.booted()
    await agent.listen()
    job = await agent.begin()
    world.pass_time(4)
    await world.deliver()
    await agent.finish(job)

    async def nothing_left():
        return not any(await world.rows())

    await world.until(nothing_left)
    return agent, job


async def test_what_is_finished_and_old_goes_and_what_is_young_stays(world):
    agent, job = await finished_job(world)
    await retention_pass(world.control)
    assert await world.job(job.id) is not None
    world.clock.time += world.settings.timing.retention + 1
    await retention_pass(world.control)
    assert await world.job(job.id) is None
    assert await world.runner(agent.runner) is None
    assert await world.machine(agent.machine.name) is None
    assert len(await world.events()) == 1


async def test_what_lives_is_never_purged_however_old(world):
    agent = await world.booted()
    await agent.listen()
    job = await agent.begin()
    world.pass_time(4)
    await world.deliver()
    world.clock.time += 3 * world.settings.timing.retention
    await retention_pass(world.control)
    assert await world.job(job.id) is not None
    assert await world.runner(agent.runner) is not None
    assert await world.machine(agent.machine.name) is not None


async def test_one_pass_purges_batch_after_batch_until_nothing_old_is_left(world):
    count = 2 * BATCH + 7

    def fill(conn):
        for number in range(count):
            deliveries.record(
                conn, f"guid-{number}", event="workflow_job", action="queued", at=START, job_id=1, outcome="x"
            )
            events.append(conn, at=START, actor="a", verb="v", target="t", reason=Reason.OBSERVED)

    await world.run(fill)
    world.clock.time += world.settings.timing.retention + 1
    await retention_pass(world.control)
    left = await world.run(lambda conn: conn.exec_driver_sql("select count(*) from deliveries").scalar_one())
    assert left == 0
    assert len(await world.events()) == 1


async def test_a_claims_token_is_forgotten_once_it_can_no_longer_be_replayed(world):
    agent = await world.booted()
    token = agent.token()
    await agent.claim(token)

    async def remembered():
        return await world.run(
            lambda conn: conn.exec_driver_sql("select count(*) from seen_tokens").scalar_one()
        )

    world.clock.time += 605
    await retention_pass(world.control)
    assert await remembered() == 1
    assert (await agent.claim(token)).json()["reason"] == Reason.TOKEN_REPLAYED
    world.clock.time += 20
    await retention_pass(world.control)
    assert await remembered() == 0
    assert (await agent.claim(token)).json()["reason"] == Reason.TOKEN_EXPIRED


async def test_a_purge_of_nothing_says_nothing(world, capsys):
    capsys.readouterr()
    await retention_pass(world.control)
    assert "retention" not in capsys.readouterr().out


async def test_a_rotated_credential_is_in_force_after_one_pass_and_its_value_is_not_said(world, capsys):
    await credentials_pass(world.control)
    capsys.readouterr()
    world.environ["GITHUB_WEBHOOK_SECRET"] = "the-rotated-secret-of-this-test"
    planner = world.fleet._loop("planner")
    planner._woken.clear()
    await credentials_pass(world.control)
    assert world.fleet.secret("GITHUB_WEBHOOK_SECRET").get_secret_value() == "the-rotated-secret-of-this-test"
    said = capsys.readouterr().out
    assert "GITHUB_WEBHOOK_SECRET" in said
    assert "the-rotated-secret" not in said
    assert planner._woken.is_set()


async def test_one_dispatcher_of_several_plans(world):
    replica = world.make_fleet("replica")
    await world.first_readings(replica)
    await world.plan()
    await world.arrive("build")
    await planner_pass(replica.world)
    await replica.world.effects.settled()
    assert await world.machines() == ()
    assert replica.world.view is not None
    await world.plan()
    assert len(await world.machines()) == 1
    await replica.stop()


async def test_another_dispatcher_takes_over_when_the_lease_ends(world):
    await world.plan()
    replica = world.make_fleet("replica")
    await world.first_readings(replica)
    await world.arrive("build")
    world.pass_time(world.settings.timing.planner_period * 4)
    await planner_pass(replica.world)
    await replica.world.effects.settled()
    assert len(await world.machines()) == 1
    await replica.stop()


async def test_a_dispatcher_that_stops_leaves_the_planning_to_another_at_once(world):
    replica = world.make_fleet("replica")
    await world.first_readings(replica)
    await planner_pass(replica.world)
    await world.arrive("build")
    await world.plan()
    assert await world.machines() == ()
    await replica.stop()
    await world.plan()
    assert len(await world.machines()) == 1


async def test_who_only_observes_plans_explains_and_touches_nothing(world):
    (job,) = await world.arrive("build")
    await planner_pass(world.control, touch=False)
    assert await world.machines() == ()
    assert world.net.count("POST", "") == 0
    assert world.control.view.whys[job.id].reason is Reason.SUPPLY_ON_ITS_WAY
    assert await world.run(lambda conn: lease.holder(conn, world.clock.now())) is None


async def test_the_day_costs_what_ran_and_a_spent_budget_holds_jobs_until_midnight(tmp_path):
    async with open_world(tmp_path, pools=[pool(daily_budget_usd=0.02)]) as world:
        agent = await world.booted()
        await agent.take()
        await agent.hook("started")
        world.pass_time(3600)
        (job,) = await world.arrive("another")
        await world.plan()
        page = await world.control.books.at(world.clock.now())
        hourly = world.control.prices["gha-small"]
        assert page.spent["gha-small"] == pytest.approx(hourly, rel=0.02)
        why = world.control.view.whys[job.id]
        assert why.reason is Reason.POOL_BUDGET_SPENT
        assert why.until == world.clock.now() - world.clock.now() % DAY + DAY


async def test_the_books_are_read_now_and_then_only(world):
    first = await world.control.books.at(world.clock.now())
    assert await world.control.books.at(world.clock.now() + 19) is first
    assert await world.control.books.at(world.clock.now() + 20) is not first


async def test_a_runner_that_comes_to_its_end_by_token_keeps_nothing_sealed(tmp_path):
    async with open_world(tmp_path, pools=[pool(registration="token")]) as world:
        agent, _ = await finished_job(world)
        assert await world.run(lambda conn: sealed.get(conn, agent.runner)) is None
