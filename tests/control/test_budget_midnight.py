"""Daily budgets at midnight UTC, with Machines that run over it."""

import pytest

from runners.control.cost import Cost, Prices, cost_of
from runners.model.reason import Reason
from runners.store.usage import Used
from tests.fleet_world import open_world, pool

DAY = 86_400.0
BUDGET = 0.05


def to_midnight(clock, before=0.0):
    """Let the clock stand so long before the next midnight UTC."""
    clock.time = clock.now() - clock.now() % DAY + DAY - before


async def held_as(world, job):
    await world.plan()
    return world.control.view.whys[job.id]


async def running_over(world):
    agent = await world.booted()
    await agent.take()
    await agent.hook("started")
    return agent


async def test_a_budget_spent_to_the_last_second_of_a_day_is_whole_again_at_midnight(tmp_path):
    async with open_world(tmp_path, pools=[pool(daily_budget_usd=BUDGET)]) as world:
        await running_over(world)
        world.pass_time(3600 * 6)
        (job,) = await world.arrive("another")
        to_midnight(world.clock, before=0.5)
        why = await held_as(world, job)
        assert why.reason is Reason.POOL_BUDGET_SPENT
        assert why.until == world.clock.now() + 0.5
        to_midnight(world.clock)
        assert (await world.control.books.at(world.clock.now())).spent.get("gha-small", 0.0) == 0.0
        assert (await held_as(world, job)).reason is Reason.SUPPLY_ON_ITS_WAY


async def test_a_machine_that_runs_over_midnight_costs_each_day_its_part(tmp_path):
    async with open_world(tmp_path, pools=[pool(daily_budget_usd=BUDGET)]) as world:
        agent = await running_over(world)
        hourly = world.fleet.prices.started("gha-small", agent.machine.region)
        to_midnight(world.clock)
        world.clock.time += 60
        spent = (await world.control.books.at(world.clock.now())).spent["gha-small"]
        assert spent == pytest.approx(hourly / 60, rel=0.01)
        world.clock.time += BUDGET / hourly * 3600
        (job,) = await world.arrive("another")
        assert (await held_as(world, job)).reason is Reason.POOL_BUDGET_SPENT


async def test_a_spent_fleet_holds_every_pool_and_ends_nothing_that_runs(tmp_path):
    pools = [pool(), pool("gha-large")]
    async with open_world(tmp_path, pools=pools, fleet={"daily_budget_usd": BUDGET}) as world:
        agent = await running_over(world)
        world.clock.time += 12 * 3600
        (job,) = await world.arrive("another", label="fly-gha-large")
        why = await held_as(world, job)
        assert why.reason is Reason.FLEET_BUDGET_SPENT
        assert (await world.runner(agent.runner)).state == "busy"


def test_busy_time_and_each_kind_of_waste_are_priced_apart():
    prices = Prices(lambda _class, region: 3.6 if region == "iad" else 7.2, lambda _class: 0.36)
    used = Used("p", "c", "iad", "", "", None, 0, 1000.0, 100.0, 10.0, 1.0, 10_000.0)
    cost = cost_of(used, prices)
    assert (cost.busy, cost.boot, cost.spare) == pytest.approx((1.0, 0.1, 0.01))
    assert (cost.idle, cost.stopped) == pytest.approx((0.001, 1.0))
    assert cost.total == pytest.approx(cost.busy + cost.waste)
    assert (cost + Cost(busy=1.0)).busy == pytest.approx(2.0)


def test_a_class_that_is_gone_costs_what_the_pool_costs_so_that_a_budget_still_holds():
    prices = Prices(lambda _class, _region: 0.0, lambda _class: 0.0, lambda pool: 3.6 if pool == "p" else 0.0)
    used = Used("p", "renamed", "iad", "", "", None, 0, 1000.0, 0.0, 0.0, 0.0)
    assert cost_of(used, prices).total == pytest.approx(1.0)
