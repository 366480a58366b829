"""The planner's promises over arbitrary Snapshots, judged by an independent, naive checker."""

import random
from dataclasses import replace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.model.states import MACHINE_MOVES, RUNNER_MOVES, JobState
from runners.planning.explain import explain
from runners.planning.facts import JobLost, MachineMoved, RunnerMoved, learn
from runners.planning.forecast import forecast
from runners.planning.plan import (
    Defer,
    Launch,
    Retire,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)
from runners.planning.planner import plan
from tests.properties.checks import REQUESTS, broken_promises
from tests.properties.nasty import snapshots
from tests.properties.rows import applied

# Derandomized: a failure is the same everywhere, and a quick suite stays quick.
ANY = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@ANY
@given(snapshots())
def test_no_plan_exceeds_a_cap_or_a_budget_or_ends_a_busy_runner(before: Snapshot):
    assert broken_promises(before, plan(before)) == []


@ANY
@given(snapshots())
def test_planning_the_planned_world_changes_nothing(before: Snapshot):
    first = plan(before)
    assert plan(applied(before, first)).actions == ()


@ANY
@given(snapshots())
def test_every_job_that_waits_has_supply_on_its_way_or_a_why(before: Snapshot):
    decided = plan(before)
    whys = explain(before, decided)
    waiting = {job.id for job in before.jobs if job.state in (JobState.QUEUED, JobState.WAITING)}
    assert set(whys) == waiting
    asked = {action.job_id for action in decided.actions if isinstance(action, REQUESTS)}
    for job in before.jobs:
        if job.id in asked and whys[job.id].reason is not Reason.SUPPLY_ON_ITS_WAY:
            assert whys[job.id].reason is Reason.RUNNER_IDLE
    # What was not decided in this plan says so to nobody: a queued job of a known pool always has its reason.
    assert Reason.NOT_PLANNED_YET not in {why.reason for why in whys.values()}


@ANY
@given(snapshots())
def test_every_job_that_waits_has_a_forecast_and_none_lies_in_the_past(before: Snapshot):
    decided = plan(before)
    forecasts = forecast(before, decided)
    assert set(forecasts) == set(explain(before, decided))
    for each in forecasts.values():
        times = (each.earliest, each.expected_start, each.latest)
        assert all(at is None or at >= before.now for at in times)
        assert each.expected_start is None or (each.latest or 0.0) >= each.expected_start
        assert each.expected_start is None or each.expected_start >= (each.earliest or 0.0)


@ANY
@given(snapshots(blind=True))
def test_unknown_is_never_taken_for_absent(before: Snapshot):
    assert not any(
        isinstance(fact, (MachineMoved, JobLost)) and _needs_reading(fact) for fact in learn(before)
    )
    lost = {Reason.LAUNCH_LOST, Reason.REGISTRATION_VANISHED}
    decided = plan(before)
    assert not any(
        isinstance(action, (SweepMachine, SweepRegistration, SweepVolume)) for action in decided.actions
    )
    assert not any(action.why.reason in lost for action in decided.actions if isinstance(action, Retire))


def _needs_reading(fact: MachineMoved | JobLost) -> bool:
    return isinstance(fact, MachineMoved) or fact.why.reason is not Reason.MACHINE_LOST


@ANY
@given(snapshots())
def test_merge_queue_jobs_go_first_when_capacity_is_short(before: Snapshot):
    decided = plan(before)
    if any(isinstance(action, (Retire, Defer)) for action in decided.actions):
        return  # what a retired Runner leaves behind is decided later in the same plan
    jobs = {job.id: job for job in before.jobs}
    passed_over = [
        (jobs[int(entry.target[4:])], entry.why.reason)
        for entry in decided.held
        if entry.target.startswith("job/") and jobs[int(entry.target[4:])].merge_queue
    ]
    for action in decided.actions:
        if not isinstance(action, REQUESTS) or action.job_id is None or jobs[action.job_id].merge_queue:
            continue
        assert action.pool not in {job.pool for job, _ in passed_over}
        if isinstance(action, Launch):
            assert Reason.FLEET_AT_MAX not in {reason for _, reason in passed_over}


@ANY
@given(snapshots(), st.integers(0, 1000))
def test_only_what_is_known_decides_and_not_its_order(before: Snapshot, seed: int):
    dice = random.Random(seed)
    # Short of writes, the older row's removal goes first; so the order of rows is looked at without that.
    rich = replace(before, limits=replace(before.limits, writes_per_minute=10_000))
    shuffled = replace(
        rich,
        jobs=tuple(dice.sample(rich.jobs, len(rich.jobs))),
        machines=tuple(dice.sample(rich.machines, len(rich.machines))),
        runners=tuple(dice.sample(rich.runners, len(rich.runners))),
        fly=dict(dice.sample(sorted(rich.fly.items()), len(rich.fly))),
        github=dict(dice.sample(sorted(rich.github.items()), len(rich.github))),
        refusals=tuple(dice.sample(rich.refusals, len(rich.refusals))),
    )
    first = plan(rich)
    assert plan(rich) == first
    # Of two reasons to end one Machine either may be the one that is told.
    assert _deeds(plan(shuffled)) == _deeds(first)


def _deeds(decided):
    return sorted(repr(replace(action, why=Why(Reason.OBSERVED))) for action in decided.actions)


@ANY
@given(snapshots())
def test_facts_are_total_and_move_rows_only_where_the_tables_allow(before: Snapshot):
    machines = {row.name: row.state for row in before.machines}
    runners = {row.name: row.state for row in before.runners}
    for fact in learn(before):
        if isinstance(fact, MachineMoved):
            assert fact.to in MACHINE_MOVES[machines[fact.name]]
        elif isinstance(fact, RunnerMoved):
            assert fact.to in RUNNER_MOVES[runners[fact.name]]
