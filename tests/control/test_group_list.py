"""The runner group is the enforcement: it is read before anything is launched, and again and again."""

import pytest

from runners.control.group_list import group_list_pass
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.upstream.errors import UpstreamError
from tests.fleet_world import open_world, pool

GROUPS = "/orgs/acme/actions/runner-groups"


async def why(world, job):
    await world.plan()
    return world.control.view.whys[job.id].reason


async def read_again(world):
    world.pass_time(world.settings.timing.group_list_period)
    await group_list_pass(world.control)


def let_public_in(world, *, allowed=True):
    world.github.directory.change_group("Default", {"allows_public": allowed})


async def test_before_its_group_was_read_a_pool_launches_nothing_and_then_its_job_at_once(world):
    world.control.readings._scopes.clear()
    (job,) = await world.arrive("build")
    assert await why(world, job) is Reason.GROUP_UNREAD
    assert await world.machines() == ()
    assert world.net.count("POST", "/machines") == 0
    await group_list_pass(world.control)
    await world.plan()
    assert len(await world.machines()) == 1
    # That it was unread for a moment is no news of the pool.
    assert await world.events(target="pool/gha-small") == ()


async def test_a_group_that_turns_public_closes_the_pool_and_its_idle_runner_but_not_its_busy_one(tmp_path):
    async with open_world(tmp_path, timing={"group_list_period": 20}) as world:
        await _turns_public(world)


async def _turns_public(world):
    busy = await world.booted("long")
    await busy.listen()
    await busy.begin()
    await world.deliver()
    idle = await world.booted("second")
    await idle.listen()
    let_public_in(world)
    await read_again(world)
    (late,) = await world.arrive("late")
    made = len(await world.machines())
    assert await why(world, late) is Reason.GROUP_ALLOWS_PUBLIC
    await world.plan(2)
    assert len(await world.machines()) == made
    assert (await world.runner(busy.runner)).state is RunnerState.BUSY
    assert (await world.runner(idle.runner)).state is RunnerState.RETIRING
    (event,) = await world.events(target="pool/gha-small")
    assert (event.verb, event.reason) == ("closed", Reason.GROUP_ALLOWS_PUBLIC)

    let_public_in(world, allowed=False)
    await read_again(world)
    await world.plan()
    assert len(await world.machines()) > made
    assert [event.verb for event in await world.events(target="pool/gha-small")] == ["closed", "opened"]


async def test_a_group_that_is_gone_closes_its_pool(tmp_path):
    async with open_world(tmp_path, pools=[pool(runner_group="ci")]) as world:
        (job,) = await world.arrive("build")
        assert await why(world, job) is Reason.GROUP_MISSING
        assert await world.machines() == ()


@pytest.mark.parametrize("allowed", [False, True])
async def test_a_repository_that_turned_public_closes_its_pool_unless_it_serves_public_ones(
    tmp_path, allowed
):
    pools = [pool(scope="repos/acme/web", allow_public=allowed)]
    async with open_world(tmp_path, pools=pools) as world:
        (job,) = await world.arrive("build")
        world.github.directory.show("web", private=False)
        await read_again(world)
        expected = Reason.SUPPLY_ON_ITS_WAY if allowed else Reason.PUBLIC_REPOSITORY
        assert await why(world, job) is expected
        assert len(await world.machines()) == allowed


async def test_a_reading_that_fails_changes_nothing(world):
    """Unknown is never bad, nor good: what was read last stands."""
    let_public_in(world)
    world.net.rule("answer", "GET", GROUPS, status=502)
    world.pass_time(world.settings.timing.group_list_period)
    with pytest.raises(UpstreamError):
        await group_list_pass(world.control)
    (job,) = await world.arrive("build")
    assert await why(world, job) is Reason.SUPPLY_ON_ITS_WAY
    world.net.mend()
    await group_list_pass(world.control)
    (late,) = await world.arrive("late")
    assert await why(world, late) is Reason.GROUP_ALLOWS_PUBLIC


async def test_it_costs_one_read_per_scope_and_period(world):
    before = world.net.count("GET", GROUPS)
    for _ in range(5):
        await group_list_pass(world.control)
    assert world.net.count("GET", GROUPS) == before
    await read_again(world)
    assert world.net.count("GET", GROUPS) == before + 1


async def test_a_credential_that_comes_late_has_the_groups_read_at_once(tmp_path):
    async with open_world(tmp_path, environ={}) as world:
        assert world.control.readings.scopes() == {}
        loop = world.fleet._loop("group-list")
        assert loop.health.last_error
        loop._woken.clear()
        world.environ.update(world.credentials())
        await world.fleet._loop("credentials").once()
        assert loop._woken.is_set()
