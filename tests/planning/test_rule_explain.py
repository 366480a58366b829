"""Why each job waits and when it should start: the same decision, told to a person."""

from runners.model.reason import Reason
from runners.model.snapshot import Pace
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.planner import plan
from tests.planning.builders import NOW, job, machine, pool, runner, snapshot

PACE = {"web": Pace(start_p50=8.0, start_p90=20.0, job_p50=100.0, samples=30)}


def told(**fields):
    world = snapshot(pace=PACE, **fields)
    decided = plan(world)
    return explain(world, decided), forecast(world, decided)


def test_a_job_with_an_idle_runner_waits_for_github_only():
    row = machine(state=MachineState.BOUND)
    whys, when = told(
        jobs=(job(),), machines=(row,), runners=(runner(row, RunnerState.IDLE, state_at=NOW - 1),)
    )
    assert whys[1].reason is Reason.RUNNER_IDLE
    assert when[1].position == 1


def test_a_job_with_a_booting_runner_starts_at_the_pools_usual_pace():
    row = machine(age=3.0)
    whys, when = told(jobs=(job(),), machines=(row,), runners=(runner(row),))
    assert whys[1].reason is Reason.SUPPLY_ON_ITS_WAY
    assert (when[1].expected_start, when[1].latest, when[1].confidence) == (NOW + 5, NOW + 17, "high")


def test_a_job_behind_the_cap_starts_when_the_running_one_should_end():
    row = machine(state=MachineState.BOUND, age=60.0)
    busy = runner(row, RunnerState.BUSY, busy_at=NOW - 40, job_id=7)
    whys, when = told(
        jobs=(job(7, JobState.IN_PROGRESS, age=60.0), job(1)),
        machines=(row,),
        runners=(busy,),
        pools=(pool(max_machines=1),),
    )
    assert whys[1].reason is Reason.POOL_AT_MAX
    assert when[1].expected_start == NOW + 60 + 8
    assert when[1].confidence == "low"


def test_nobody_says_when_a_drained_pool_serves_again():
    whys, when = told(jobs=(job(),), pools=(pool(drained=True),))
    assert whys[1].reason is Reason.POOL_DRAINED
    assert when[1].expected_start is None


def test_a_job_that_awaits_approval_is_no_demand_and_says_so():
    whys, when = told(jobs=(job(1, JobState.WAITING, queued_at=None),))
    assert whys[1].reason is Reason.AWAITING_APPROVAL
    assert when[1].position == 0


def test_without_measurements_the_forecast_says_that_it_guesses():
    world = snapshot(jobs=(job(),))
    only = forecast(world, plan(world))[1]
    assert only.confidence == "low"
    assert "nothing measured" in only.basis
