"""What an operator asks for: a Runner's end unless it runs a job, or by force even then."""

import pytest

from runners.model.reason import Reason
from runners.model.snapshot import End
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.facts import JobLost, RunnerMoved, learn
from runners.planning.plan import BindSpare, Deregister, Destroy, Retire
from runners.planning.planner import plan
from tests.planning.builders import NOW, TIMING, job, machine, machines_read, runner, snapshot

ASKED, FORCED = Reason.OPERATOR_RETIRED, Reason.OPERATOR_FORCED


def bound(state, **fields):
    row = machine(state=MachineState.BOUND)
    return row, runner(row, state, **fields)


def deeds(row, live, **fields):
    return plan(snapshot(machines=(row,), runners=(live,), **fields)).actions


def kinds(actions):
    return {(type(action), action.why.reason) for action in actions}


def test_an_idle_runner_whose_end_is_asked_is_deregistered_first_and_its_machine_left_to_end_by_itself():
    row, live = bound(RunnerState.IDLE, end_asked=ASKED)
    assert kinds(deeds(row, live)) == {(Retire, ASKED)}


@pytest.mark.parametrize("state", [RunnerState.REQUESTED, RunnerState.LAUNCHING, RunnerState.BOOTING])
def test_one_that_has_not_claimed_ends_with_its_machine_which_serves_no_other_job(state):
    row = machine()
    live = runner(row, state, end_asked=ASKED)
    actions = deeds(row, live, jobs=(job(),))
    assert {(Retire, ASKED), (Destroy, ASKED)} <= kinds(actions)
    assert not any(isinstance(action, BindSpare) for action in actions)


def test_one_that_configures_itself_is_waited_for_unless_forced():
    row, live = bound(RunnerState.CLAIMED, end_asked=ASKED)
    assert deeds(row, live) == ()
    row, live = bound(RunnerState.CLAIMED, end_asked=FORCED)
    assert kinds(deeds(row, live)) == {(Retire, FORCED), (Destroy, FORCED)}


def test_a_busy_runner_whose_end_was_asked_keeps_its_job():
    """It was idle when the operator asked, and its DELETE met a job: 422 brought it back to busy."""
    row, live = bound(RunnerState.BUSY, end_asked=ASKED, job_id=1)
    assert deeds(row, live, jobs=(job(1, JobState.IN_PROGRESS, runner_name=live.name),)) == ()


def test_by_force_the_machine_of_a_busy_runner_is_destroyed_and_again_until_it_is_gone():
    row, live = bound(RunnerState.BUSY, end_asked=FORCED, job_id=1)
    running = (job(1, JobState.IN_PROGRESS, runner_name=live.name),)
    assert kinds(deeds(row, live, jobs=running)) == {(Destroy, FORCED)}
    sent = machine(state=MachineState.BOUND, destroy_sent_at=NOW - 1)
    assert deeds(sent, live, jobs=running) == ()
    late = machine(state=MachineState.BOUND, destroy_sent_at=NOW - TIMING.destroy_again - 1)
    assert [type(action) for action in deeds(late, live, jobs=running)] == [Destroy]


def test_force_on_one_runner_protects_every_other_busy_one():
    row, live = bound(RunnerState.BUSY, end_asked=FORCED)
    other = machine(2, state=MachineState.BOUND)
    busy = runner(other, RunnerState.BUSY)
    actions = plan(snapshot(machines=(row, other), runners=(live, busy))).actions
    assert [action.machine for action in actions if isinstance(action, Destroy)] == [row.name]


def test_force_on_one_that_is_gone_from_its_machine_does_not_end_who_has_it_now():
    """Retired before its claim, it left its Machine to another Runner, which took a job."""
    row = machine(state=MachineState.BOUND)
    left = runner(row, RunnerState.RETIRING, claimed_at=None, end_asked=FORCED, delete_sent_at=NOW - 1)
    busy = runner(row, RunnerState.BUSY, count=2)
    actions = plan(snapshot(machines=(row,), runners=(left, busy))).actions
    assert not any(isinstance(action, (Destroy, Deregister)) for action in actions)


def test_a_job_lost_by_force_says_so():
    row, live = bound(RunnerState.BUSY, end_asked=FORCED, job_id=1)
    running = job(1, JobState.IN_PROGRESS, runner_name=live.name)
    reading = machines_read(ended={row.name: End(NOW - 1, None)})
    facts = learn(snapshot(machines=(row,), runners=(live,), jobs=(running,), fly={row.app: reading}))
    lost = [fact for fact in facts if isinstance(fact, (JobLost, RunnerMoved))]
    assert {fact.why.reason for fact in lost} == {FORCED}
    assert any(isinstance(fact, JobLost) for fact in lost)
