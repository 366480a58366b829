"""Steps 3 to 5: supply for the jobs that have none, placed, and within every cap and limit."""

import pytest

from runners.model.reason import Reason, Why
from runners.model.snapshot import Limits
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.plan import BindSpare, Launch, StartSpare
from runners.planning.planner import plan
from runners.planning.purse import KEPT_FOR_REMOVALS
from tests.planning.builders import (
    APP,
    NOW,
    TIMING,
    job,
    machine,
    merge_queue,
    pool,
    ready,
    runner,
    snapshot,
    stopped,
)


def jobs(count, **fields):
    return tuple(job(number, **fields) for number in range(1, count + 1))


def launches(**fields):
    return [action for action in plan(snapshot(**fields)).actions if isinstance(action, Launch)]


def held(**fields):
    return [entry.why.reason for entry in plan(snapshot(**fields)).held]


def test_every_job_without_supply_gets_one_launch():
    assert len(launches(jobs=jobs(3))) == 3


def test_supply_that_is_on_its_way_is_counted_whoever_it_was_asked_for():
    row = machine()
    assert len(launches(jobs=jobs(3), machines=(row,), runners=(runner(row),))) == 2


def test_a_busy_runner_is_no_supply():
    row = machine(state=MachineState.BOUND)
    busy = runner(row, RunnerState.BUSY, job_id=9)
    work = (job(1), job(9, JobState.IN_PROGRESS))
    assert len(launches(jobs=work, machines=(row,), runners=(busy,))) == 1


def test_a_busy_runner_whose_job_is_not_known_yet_has_one_of_the_queued_ones():
    row = machine(state=MachineState.BOUND)
    busy = runner(row, RunnerState.BUSY, job_id=None)
    assert launches(jobs=jobs(1), machines=(row,), runners=(busy,)) == []
    assert len(launches(jobs=jobs(2), machines=(row,), runners=(busy,))) == 1


def test_a_ready_spare_is_bound_before_a_stopped_one_is_started_before_a_machine_is_created():
    fields = {"jobs": jobs(3), "machines": (ready(1), stopped(2)), "pools": (pool(ready=0),)}
    kinds = [type(action) for action in plan(snapshot(**fields)).actions]
    assert sorted(kind.__name__ for kind in kinds) == ["BindSpare", "Launch", "StartSpare"]
    assert {BindSpare, StartSpare, Launch} == set(kinds)


def test_spares_are_wanted_even_without_jobs_and_mint_nothing():
    made = launches(pools=(pool(ready=1, stopped=2),))
    assert sorted(action.start for action in made) == [False, False, True]
    assert {action.registration for action in made} == {""}


def test_a_deferred_job_gets_no_supply_before_its_time():
    assert launches(jobs=jobs(1, not_before=NOW + 5)) == []
    assert len(launches(jobs=jobs(1, not_before=NOW))) == 1


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"pools": (pool(max_machines=2),)}, Reason.POOL_AT_MAX),
        ({"max_machines": 2}, Reason.FLEET_AT_MAX),
        ({"pools": (pool(drained=True),)}, Reason.POOL_DRAINED),
        ({"paused": True}, Reason.FLEET_PAUSED),
        ({"pools": (pool(daily_budget_usd=1.0, spent=1.0),)}, Reason.POOL_BUDGET_SPENT),
        ({"daily_budget_usd": 1.0, "pools": (pool(spent=2.0),)}, Reason.FLEET_BUDGET_SPENT),
        ({"missing_credentials": {"fly": "FLY_API_TOKEN"}}, Reason.CREDENTIAL_MISSING),
        ({"missing_credentials": {"github:acme": "X"}}, Reason.CREDENTIAL_MISSING),
        ({"limits": Limits(blocked_until={f"fly:{APP}": NOW + 9})}, Reason.FLY_BREAKER_OPEN),
        ({"limits": Limits(blocked_until={"github:acme": NOW + 9})}, Reason.GITHUB_BREAKER_OPEN),
        ({"limits": Limits(blocked_until={"mint:web": NOW + 9})}, Reason.MINT_REFUSED),
        ({"limits": Limits(writes={"acme": (NOW - 1,) * 150})}, Reason.GITHUB_WRITE_BUDGET),
        ({"limits": Limits(creates={APP: (NOW, NOW, NOW)})}, Reason.FLY_CREATE_BUDGET),
    ],
)
def test_what_may_not_go_out_is_held_with_its_reason(fields, reason):
    world = {"jobs": jobs(4), "limits": Limits(create_burst=10)} | fields
    assert len(launches(**world)) <= 2
    assert reason in held(**world)
    assert len(launches(**world)) + len(held(**world)) == 4


def test_the_create_budget_says_when_the_next_token_is_there():
    decided = plan(snapshot(jobs=jobs(5)))
    assert sum(isinstance(action, Launch) for action in decided.actions) == 3
    assert decided.wake_at == pytest.approx(NOW + 1.0)


def test_creates_of_a_burst_spread_over_the_pools_apps():
    made = launches(jobs=jobs(6), pools=(pool(apps=("a", "b")),), fly={})
    assert sorted(action.app for action in made) == ["a", "a", "a", "b", "b", "b"]


def test_merge_queue_jobs_go_first_when_capacity_is_short():
    waiting = (*jobs(3, age=100.0), merge_queue(9, age=1.0))
    (first,) = launches(jobs=waiting, max_machines=1)
    assert first.job_id == 9


def test_the_longest_waiting_job_goes_first_over_all_pools():
    pools = (pool("web"), pool("api"))
    waiting = (job(1, pool="web", age=5.0), job(2, pool="api", age=50.0))
    (first,) = launches(jobs=waiting, pools=pools, max_machines=1)
    assert first.job_id == 2


def test_jit_falls_back_to_token_when_the_mint_budget_is_short_and_the_pool_is_auto():
    spent = int(150 * (1 - KEPT_FOR_REMOVALS))
    limits = Limits(writes={"acme": (NOW - 1,) * spent}, create_burst=10)
    made = launches(jobs=jobs(3), pools=(pool(registration="auto"),), limits=limits)
    assert sorted(action.registration for action in made) == ["jit", "token", "token"]


def test_auto_leaves_writes_for_the_removal_of_registrations_and_jit_does_not():
    limits = Limits(writes={"acme": (NOW - 1,) * 149}, create_burst=10)
    by_pool = {
        kind: [
            action.registration
            for action in launches(jobs=jobs(1), pools=(pool(registration=kind),), limits=limits)
        ]
        for kind in ("auto", "jit")
    }
    assert by_pool == {"auto": ["token"], "jit": ["jit"]}


def test_spares_wait_while_the_fleet_is_paused_and_bind_nothing():
    fields = {"paused": True, "machines": (ready(1),), "jobs": jobs(1), "pools": (pool(ready=1),)}
    decided = plan(snapshot(**fields))
    assert not any(isinstance(action, (Launch, BindSpare)) for action in decided.actions)
    assert decided.held[0].why == Why(Reason.FLEET_PAUSED, decided.held[0].why.detail)
    assert TIMING.idle_timeout > 30
