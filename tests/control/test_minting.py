"""Mints: a lost one is removed by name and made again under a new one; a refused one waits."""

import asyncio

import pytest

from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.store import sealed
from tests.fleet_world import met, open_world, pool

MINT = "/generate-jitconfig$"


def mints(world):
    return world.net.count("POST", MINT)


def names(world):
    return [registration.name for registration in world.github.registrations.all()]


async def test_a_lost_mint_is_removed_by_name_and_made_again_on_the_same_machine(world):
    world.net.rule("lose", "POST", MINT, times=1)
    await world.arrive("build")
    await world.plan()
    (machine,) = await world.machines()
    assert names(world) == [f"{machine.name}-1"]
    first = await world.runner(f"{machine.name}-1")
    assert (first.state, first.reason, first.github_id) == (RunnerState.RETIRING, Reason.MINT_LOST, None)
    await world.plan(3)
    assert names(world) == [f"{machine.name}-2"]
    assert mints(world) == 2
    assert world.net.count("POST", "/machines$") == 1
    assert (await world.runner(first.name)).state is RunnerState.GONE
    world.pass_time(10)
    agent = world.agent()
    assert (await agent.take())["runner"] == f"{machine.name}-2"


async def test_the_simulators_own_lost_mint_ends_at_our_deadline(tmp_path):
    async with open_world(tmp_path, timing={"upstream_deadline": 2}) as world:
        world.github.faults.add("lost_mint_answer")
        await world.arrive("build")
        await world.plan(3)
        assert world.github.faults.unfired() == ()
        (machine,) = await world.machines()
        assert names(world) == [f"{machine.name}-2"]


async def test_a_5xx_to_a_mint_is_a_lost_answer_too(world):
    """GitHub may have registered the runner and lost its own reply."""
    world.github.faults.add("mint_5xx")
    await world.arrive("build")
    await world.plan(3)
    (machine,) = await world.machines()
    assert names(world) == [f"{machine.name}-2"]


async def test_a_lost_mint_that_shows_up_late_is_swept(world):
    """The lookup found nothing; the record appeared after it."""
    world.net.rule("lose", "POST", MINT, times=1)
    world.net.rule("answer", "GET", "/actions/runners$", status=200, body={"total_count": 0, "runners": []})
    await world.arrive("build")
    await world.plan(3)
    (machine,) = await world.machines()
    assert names(world) == [f"{machine.name}-1", f"{machine.name}-2"]
    world.net.mend()
    for _ in range(5):
        world.pass_time(20)
        await world.read_lists()
        await world.plan()
    assert f"{machine.name}-1" not in names(world)
    swept = [e for e in await world.events(verb="swept") if e.target == f"runner/{machine.name}-1"]
    assert [event.reason for event in swept] == [Reason.REGISTRATION_WITHOUT_RUNNER]


async def test_a_refused_mint_is_asked_again_after_a_while_and_the_machine_is_kept_for_it(world):
    refusal = world.net.rule("answer", "POST", MINT, status=403, body={"message": "no"})
    (job,) = await world.arrive("build")
    for _ in range(8):
        await world.plan()
        world.pass_time(1)
    assert mints(world) == 1
    assert world.control.view.whys[job.id].reason is Reason.MINT_REFUSED
    assert [machine.state for machine in await world.machines()] == [MachineState.STARTING]
    refusal.times = 0
    world.pass_time(world.settings.timing.backoff_first)
    await world.plan()
    assert mints(world) == 2
    assert world.net.count("POST", "/machines$") == 1
    world.pass_time(5)
    await world.agent().take()


async def test_without_a_github_token_nothing_is_launched_or_minted(world):
    token = world.environ.pop("GITHUB_INSTALLATION_TOKEN_ACME")
    await world.fleet._loop("credentials").once()
    (job,) = await world.arrive("build")
    await world.plan(3)
    assert (mints(world), world.net.count("POST", "/machines$")) == (0, 0)
    why = world.control.view.whys[job.id]
    assert why.reason is Reason.CREDENTIAL_MISSING
    assert "GITHUB_INSTALLATION_TOKEN_ACME" in why.detail
    world.environ["GITHUB_INSTALLATION_TOKEN_ACME"] = token
    await world.fleet._loop("credentials").once()
    await world.plan()
    assert mints(world) == 1


async def test_without_a_fleet_key_nothing_is_minted(world):
    del world.environ["FLY_GHA_FLEET_KEY"]
    await world.fleet._loop("credentials").once()
    (job,) = await world.arrive("build")
    await world.plan(3)
    assert mints(world) == 0
    assert "FLY_GHA_FLEET_KEY" in world.control.view.whys[job.id].detail


async def test_what_is_minted_for_a_runner_retired_meanwhile_is_removed_and_handed_to_nobody(world):
    """The DELETE must not overtake the mint: it would find nothing and leave a ghost."""
    mint = world.net.rule("hold", "POST", MINT)
    (job,) = await world.arrive("build")
    planning = asyncio.create_task(world.plan())
    await mint.reached.wait()
    world.github.queue.cancel(job.id)
    world.pass_time(10)
    await world.deliver()
    retiring = asyncio.create_task(world.plan())
    await met(lambda: "intents.committed" in world.steps[1:])
    (runner,) = await world.runners()
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.SURPLUS)
    assert world.net.count("DELETE", "/actions/runners/") == 0
    mint.released.set()
    await asyncio.gather(planning, retiring)
    assert await world.run(lambda conn: sealed.get(conn, runner.name)) is None
    assert (await world.agent().claim()).status_code == 204
    await world.plan(2)
    assert names(world) == []
    assert world.net.count("DELETE", "/actions/runners/") == 1
    assert (await world.runner(runner.name)).state is RunnerState.GONE


async def test_a_mint_that_reaches_github_after_its_runner_was_given_up_is_removed_all_the_same(world):
    mint = world.net.rule("delay", "POST", MINT, times=1)
    await world.arrive("build")
    planning = asyncio.create_task(world.plan())
    await mint.reached.wait()
    (runner,) = await world.runners()
    world.pass_time(world.settings.timing.launch_deadline + 1)
    giving_up = asyncio.create_task(world.plan())
    await met(lambda: "retire.deleted" in world.steps)
    mint.released.set()
    await asyncio.gather(planning, giving_up)
    assert runner.name in names(world)
    world.pass_time(world.settings.timing.delete_again + 1)
    await world.plan(2)
    assert runner.name not in names(world)
    assert (await world.runner(runner.name)).state is RunnerState.GONE


async def test_a_registration_nobody_claimed_is_replaced_before_github_drops_it(tmp_path):
    async with open_world(tmp_path, timing={"boot_deadline": 600}) as world:
        world.fly.faults.add("never_boots")
        await world.arrive("build")
        await world.plan()
        (machine,) = await world.machines()
        world.pass_time(world.settings.timing.registration_max_age + 1)
        await world.plan(3)
        assert names(world) == [f"{machine.name}-2"]
        assert (await world.runner(f"{machine.name}-1")).reason is Reason.REGISTRATION_EXPIRED


@pytest.mark.parametrize("registration", ["token", "auto"])
async def test_a_pool_that_registers_by_token_spends_no_mint(tmp_path, registration):
    pools = [pool(registration=registration)]
    async with open_world(tmp_path, pools=pools, github={"writes_per_minute": 1}) as world:
        await world.arrive("one", "two", "three")
        await world.plan()
        assert mints(world) == (1 if registration == "auto" else 0)
        world.pass_time(15)
        for machine in world.started():
            await world.agent(machine).listen()
        assert len(names(world)) == len(await world.machines()) == 3


async def test_the_write_budget_holds_jobs_back_and_says_until_when(tmp_path):
    async with open_world(tmp_path, github={"writes_per_minute": 2}) as world:
        jobs = await world.arrive("one", "two", "three")
        await world.plan(3)
        assert mints(world) == 2
        why = world.control.view.whys[jobs[2].id]
        assert why.reason is Reason.GITHUB_WRITE_BUDGET
        world.clock.time = why.until + 0.1
        await world.plan()
        assert mints(world) == 3
