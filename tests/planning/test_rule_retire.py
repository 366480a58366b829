"""Step 1: what takes no more work, and the next step of what is ending."""

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.plan import Defer, Deregister, Destroy, Retire
from runners.planning.planner import plan
from tests.planning.builders import (
    NOW,
    TIMING,
    job,
    machine,
    pool,
    ready,
    registered,
    runner,
    runners_read,
    snapshot,
    stopped,
)


def decided(kind, **fields):
    return [action for action in plan(snapshot(**fields)).actions if isinstance(action, kind)]


def reasons(kind, **fields):
    return {action.why.reason for action in decided(kind, **fields)}


def test_a_machine_that_never_started_is_retired_and_destroyed_after_the_boot_deadline():
    row = machine(age=TIMING.boot_deadline + 1)
    fields = {"machines": (row,), "runners": (runner(row, RunnerState.LAUNCHING),), "jobs": (job(),)}
    assert reasons(Retire, **fields) == reasons(Destroy, **fields) == {Reason.NEVER_STARTED}


def test_nothing_is_retired_while_the_boot_deadline_has_not_passed():
    row = machine(age=TIMING.boot_deadline - 1)
    live = runner(row, RunnerState.LAUNCHING)
    assert decided(Retire, machines=(row,), runners=(live,), jobs=(job(),)) == []


def test_a_runner_that_is_not_online_in_time_is_retired_but_its_machine_may_end_by_itself():
    row = machine(state=MachineState.BOUND, age=TIMING.online_deadline + 2)
    fields = {"machines": (row,), "runners": (runner(row, RunnerState.CLAIMED),), "jobs": (job(),)}
    assert reasons(Retire, **fields) == {Reason.NEVER_ONLINE}
    assert decided(Destroy, **fields) == []


def test_an_idle_runner_is_retired_after_the_idle_timeout_only():
    row = machine(state=MachineState.BOUND, age=TIMING.idle_timeout + 2)
    old = runner(row, RunnerState.IDLE)
    young = runner(row, RunnerState.IDLE, state_at=NOW - TIMING.idle_timeout + 2)
    assert reasons(Retire, machines=(row,), runners=(old,)) == {Reason.IDLE_TOO_LONG}
    assert decided(Retire, machines=(row,), runners=(young,)) == []


def test_a_job_that_an_idle_runner_was_not_given_is_deferred_for_longer_each_time():
    row = machine(state=MachineState.BOUND, age=200.0)
    idle = runner(row, RunnerState.IDLE, state_at=NOW - TIMING.idle_timeout - 1)
    for deferrals, wait in ((0, 60.0), (1, 120.0), (9, TIMING.backoff_max)):
        waiting = job(age=300.0, deferrals=deferrals)
        (action,) = decided(Defer, machines=(row,), runners=(idle,), jobs=(waiting,))
        assert (action.job_id, action.until) == (waiting.id, NOW + wait)


def test_a_busy_runner_is_never_retired_before_its_longest_life():
    row = machine(state=MachineState.BOUND, age=TIMING.max_lifetime - 10)
    busy = runner(row, RunnerState.BUSY, job_id=1)
    fields = {"machines": (row,), "runners": (busy,), "jobs": (job(1, JobState.IN_PROGRESS),)}
    for world in (fields, {**fields, "pools": (pool(drained=True),)}, {**fields, "paused": True}):
        assert decided(Retire, **world) == decided(Destroy, **world) == []


def test_the_longest_life_ends_even_a_busy_runner():
    row = machine(state=MachineState.BOUND, age=TIMING.max_lifetime + 10)
    busy = runner(row, RunnerState.BUSY, job_id=1)
    assert reasons(Destroy, machines=(row,), runners=(busy,)) == {Reason.TOO_OLD}


def test_a_registration_is_vanished_only_when_two_readings_far_apart_lack_it():
    row = machine(state=MachineState.BOUND, age=100.0)
    idle = runner(row, RunnerState.IDLE, state_at=NOW - 50)
    once = runners_read(absent_since={idle.name: NOW - 2})
    twice = runners_read(absent_since={idle.name: NOW - 1 - TIMING.absence_confirm})
    fields = {"machines": (row,), "runners": (idle,), "jobs": (job(),)}
    assert decided(Retire, github=once, **fields) == []
    assert decided(Retire, **fields) == []
    assert reasons(Retire, github=twice, **fields) == {Reason.REGISTRATION_VANISHED}


def test_a_lost_mint_is_replaced_under_a_new_name_on_the_same_machine():
    row = machine(age=TIMING.launch_deadline + 5)
    lost = runner(row, RunnerState.LAUNCHING, minted_at=None, github_id=None)
    fields = {"machines": (row,), "runners": (lost,), "jobs": (job(),)}
    assert reasons(Retire, **fields) == {Reason.MINT_LOST}
    assert decided(Destroy, **fields) == []


def test_runners_on_their_way_for_jobs_that_were_cancelled_are_surplus():
    rows = (machine(1), machine(2))
    fields = {"machines": rows, "runners": tuple(runner(row) for row in rows), "jobs": (job(),)}
    assert len(decided(Retire, **fields)) == 1
    assert reasons(Retire, **fields) == {Reason.SURPLUS}


def test_a_retiring_runner_sends_its_delete_again_only_after_a_while():
    row = machine(state=MachineState.BOUND)
    for sent, expected in ((NOW - TIMING.delete_again + 1, 0), (NOW - TIMING.delete_again - 1, 1)):
        ending = runner(row, RunnerState.RETIRING, claimed_at=NOW - 20, delete_sent_at=sent)
        assert len(decided(Deregister, machines=(row,), runners=(ending,))) == expected


def test_a_registration_that_cannot_be_removed_holds_its_machine_until_max_lifetime_and_no_longer():
    row = machine(state=MachineState.BOUND, age=TIMING.max_lifetime)
    for age, expected in ((TIMING.max_lifetime, set()), (TIMING.max_lifetime + 1, {Reason.TOO_OLD})):
        ending = runner(row, RunnerState.RETIRING, claimed_at=NOW - age, delete_sent_at=NOW - 1)
        assert reasons(Destroy, machines=(row,), runners=(ending,)) == expected


def test_a_machine_is_destroyed_when_it_does_not_end_after_its_registration_was_removed():
    row = machine(state=MachineState.BOUND, age=300.0)
    for since, expected in (
        (TIMING.retire_grace - 1, set()),
        (TIMING.retire_grace + 1, {Reason.DID_NOT_EXIT}),
    ):
        ending = runner(
            row, RunnerState.RETIRING, claimed_at=NOW - 290, deregistered_at=NOW - since, age=300.0
        )
        assert reasons(Destroy, machines=(row,), runners=(ending,)) == expected


def test_a_claimed_machine_is_not_destroyed_while_its_delete_has_no_answer():
    row = machine(state=MachineState.BOUND, age=5000.0)
    ending = runner(row, RunnerState.RETIRING, claimed_at=NOW - 4990, delete_sent_at=NOW - 1)
    assert decided(Destroy, machines=(row,), runners=(ending,)) == []


def test_a_drained_pool_takes_no_new_work_and_keeps_no_spares():
    rows = (ready(1), stopped(2), machine(3, MachineState.BOUND))
    idle = runner(rows[2], RunnerState.IDLE)
    fields = {
        "machines": rows,
        "runners": (idle,),
        "jobs": (job(),),
        "pools": (pool(drained=True, ready=1, stopped=1),),
    }
    assert reasons(Retire, **fields) == {Reason.POOL_DRAINED}
    assert {action.machine for action in decided(Destroy, **fields)} == {rows[0].name, rows[1].name}


def test_after_an_outage_those_that_waited_have_time_to_call_before_their_deadline_counts():
    long_ago = {"age": TIMING.boot_deadline + 500}
    booting, spare, claimed, idle = (
        machine(1, **long_ago),
        machine(2, **long_ago),
        *(machine(number, MachineState.BOUND, **long_ago) for number in (3, 4)),
    )
    fields = {
        "machines": (booting, spare, claimed, idle),
        "runners": (
            runner(booting, minted_at=NOW - 30),
            runner(claimed, RunnerState.CLAIMED),
            runner(idle, RunnerState.IDLE),
        ),
        "jobs": tuple(job(number) for number in range(3)),
        "pools": (pool(ready=1),),
    }
    listening = {"listening_since": NOW - TIMING.absence_confirm}
    assert plan(snapshot(**fields, **listening)).actions == ()
    later = {"listening_since": NOW - TIMING.absence_confirm - 1}
    assert reasons(Retire, **fields, **later) == {
        Reason.NEVER_STARTED,
        Reason.NEVER_ONLINE,
        Reason.IDLE_TOO_LONG,
    }
    assert {action.machine for action in decided(Destroy, **fields, **later)} == {booting.name, spare.name}


def test_an_unneeded_spare_rests_a_while_before_it_is_destroyed():
    assert decided(Destroy, machines=(ready(1, age=10.0),)) == []
    assert reasons(Destroy, machines=(ready(1, age=TIMING.idle_timeout + 1),)) == {Reason.SURPLUS}


def test_a_finished_runner_that_github_still_lists_long_after_is_removed_by_us():
    ended = NOW - TIMING.finish_grace - TIMING.retire_grace - 10
    row = machine(state=MachineState.BOUND, age=400.0)
    done = runner(row, RunnerState.RETIRING, claimed_at=NOW - 390, finished_at=ended, age=400.0)
    gone_row = {"runners": (done,), "github": runners_read(registered(done))}
    assert [action.runner for action in decided(Deregister, **gone_row)] == [done.name]
