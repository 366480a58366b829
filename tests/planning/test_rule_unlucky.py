"""What must hold when the world answers late, twice, wrongly or not at all."""

from dataclasses import replace

import pytest

from runners.model.nouns import Boot
from runners.model.reason import Reason
from runners.model.snapshot import Limits
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.explain import explain
from runners.planning.facts import MachineAdopted, RunnerMoved, learn
from runners.planning.plan import (
    BindSpare,
    Deregister,
    Destroy,
    Launch,
    Retire,
    StartSpare,
    SweepMachine,
    SweepRegistration,
)
from runners.planning.planner import plan
from tests.planning.builders import (
    APP,
    FLEET,
    NOW,
    TIMING,
    job,
    machine,
    machines_read,
    pool,
    ready,
    registered,
    runner,
    runners_read,
    seen,
    snapshot,
    stopped,
)


def kinds(before):
    return [type(action) for action in plan(before).actions]


def doubted(age=40.0):
    row = machine(state=MachineState.CREATING, fly_id=None, age=age)
    reading = machines_read(absent_since={row.name: NOW - 5})
    return row, runner(row, RunnerState.REQUESTED), reading


# --- a create without an answer ---


def test_a_doubtful_create_is_replaced_but_counts_against_the_cap():
    row, its_runner, reading = doubted()
    fields = {"machines": (row,), "runners": (its_runner,), "jobs": (job(),), "fly": reading}
    assert kinds(snapshot(**fields)) == [Launch]
    assert kinds(snapshot(pools=(pool(max_machines=1),), **fields)) == []


def test_a_create_is_not_in_doubt_while_its_call_may_still_be_out():
    row, its_runner, reading = doubted(age=TIMING.launch_deadline - 1)
    assert kinds(snapshot(machines=(row,), runners=(its_runner,), jobs=(job(),), fly=reading)) == []


def test_a_list_that_could_not_be_read_puts_no_create_in_doubt():
    row, its_runner, _ = doubted()
    assert kinds(snapshot(machines=(row,), runners=(its_runner,), jobs=(job(),))) == []


def test_when_a_doubtful_machine_shows_after_all_the_runner_less_far_along_is_surplus():
    late = machine(1, MachineState.CREATING, fly_id=None, age=60)
    fresh = machine(2, age=10)
    rows = (runner(late, RunnerState.REQUESTED), runner(fresh, RunnerState.LAUNCHING))
    before = snapshot(
        machines=(late, fresh), runners=rows, jobs=(job(),), fly=machines_read(seen(late, "created"))
    )
    assert MachineAdopted(late.name, f"found-{late.name}") in learn(before)
    assert [action.runner for action in plan(before).actions if isinstance(action, Retire)] == [rows[0].name]


# --- a mint without an answer ---


def test_no_delete_is_sent_while_the_mints_answer_may_still_come():
    row = ready(age=10)
    retiring = runner(row, RunnerState.RETIRING, minted_at=None, github_id=None, age=10)
    assert kinds(snapshot(machines=(row,), runners=(retiring,))) == []
    late = replace(retiring, mint_sent_at=NOW - TIMING.launch_deadline - 1)
    assert kinds(snapshot(machines=(row,), runners=(late,))) == [Deregister]


def test_a_lost_mint_is_replaced_on_the_same_machine_in_the_same_plan():
    row = ready(age=30)
    lost = runner(row, RunnerState.BOOTING, minted_at=None, github_id=None)
    before = snapshot(machines=(row,), runners=(lost,), jobs=(job(),))
    retire, bind = plan(before).actions
    assert (type(retire), retire.why.reason) == (Retire, Reason.MINT_LOST)
    assert (type(bind), bind.machine) == (BindSpare, row.name)


def test_a_machine_keeps_its_runner_when_the_delete_of_a_lost_mint_cannot_be_paid():
    """Two Runners on one Machine would be two registrations for one listener."""
    row = ready(age=30)
    lost = runner(row, RunnerState.BOOTING, minted_at=None, github_id=None)
    limits = Limits(writes_per_minute=1, writes={"acme": (NOW - 5,)})
    decided = plan(snapshot(machines=(row,), runners=(lost,), jobs=(job(),), limits=limits))
    assert decided.actions == ()
    assert [entry.why.reason for entry in decided.held] == [Reason.GITHUB_WRITE_BUDGET]


# --- who took which job ---


@pytest.mark.parametrize("state", [RunnerState.BUSY, RunnerState.RETIRING])
def test_a_runner_whose_job_is_unnamed_answers_for_one_queued_job_until_the_next_queue_sweep(state):
    row = machine(state=MachineState.BOUND, age=30)
    finished = {"finished_at": NOW - 2, "deregistered_at": NOW - 2} if state is RunnerState.RETIRING else {}
    taken = runner(row, state, busy_at=NOW - 3, claimed_at=NOW - 10, **finished)
    before = snapshot(machines=(row,), runners=(taken,), jobs=(job(1), job(2)))
    decided = plan(before)
    assert [action.job_id for action in decided.actions] == [2]
    assert explain(before, decided)[1].reason is Reason.SUPPLY_ON_ITS_WAY
    later = replace(taken, busy_at=NOW - TIMING.queue_sweep_period - 1)
    assert len(plan(replace(before, runners=(later,))).actions) == 2


def test_a_runner_whose_job_is_named_answers_for_no_other():
    row = machine(state=MachineState.BOUND, age=30)
    known = runner(row, RunnerState.BUSY, busy_at=NOW - 3, job_id=9)
    assert kinds(snapshot(machines=(row,), runners=(known,), jobs=(job(1),))) == [Launch]
    told_by_job = replace(known, job_id=None)
    running = job(9, JobState.IN_PROGRESS, runner_name=known.name)
    assert kinds(snapshot(machines=(row,), runners=(told_by_job,), jobs=(job(1), running))) == [Launch]


def test_a_runner_that_ended_an_unnamed_job_is_remembered_until_it_is_named():
    ended = machine(age=50)
    row = runner(
        ended, RunnerState.RETIRING, busy_at=NOW - 20, finished_at=NOW - 9, retiring_at=NOW - 9, age=50
    )
    reading = runners_read(at=NOW - 1)
    assert learn(snapshot(runners=(row,), github=reading)) == ()
    named = replace(row, job_id=4)
    (fact,) = learn(snapshot(runners=(named,), github=reading))
    assert isinstance(fact, RunnerMoved)
    assert fact.to is RunnerState.GONE


# --- busy answers, old age, the dead that return ---


def test_a_busy_runner_past_its_life_is_retired_again_only_when_a_delete_is_due():
    row = machine(state=MachineState.BOUND, age=TIMING.max_lifetime + 50, destroy_sent_at=NOW - 3)
    old = runner(row, RunnerState.BUSY, delete_sent_at=NOW - 3)
    assert kinds(snapshot(machines=(row,), runners=(old,))) == []
    due = replace(old, delete_sent_at=NOW - TIMING.delete_again - 1)
    assert kinds(snapshot(machines=(row,), runners=(due,))) == [Retire]


def test_a_spare_just_started_is_not_taken_for_ended_because_of_an_older_list():
    row = machine(age=40, boot=Boot("", 1, NOW - 8, NOW - 4, NOW - 4), state=MachineState.BOUND)
    row = replace(row, boot=replace(row.boot, machine_name=row.name))
    at_work = runner(row, RunnerState.BUSY, busy_at=NOW - 2, job_id=1, age=8)
    running = job(1, JobState.IN_PROGRESS, runner_name=at_work.name)
    fields = {"machines": (row,), "runners": (at_work,), "jobs": (running,)}
    assert kinds(snapshot(fly=machines_read(seen(row, "stopped"), at=NOW - 6), **fields)) == []
    assert kinds(snapshot(fly=machines_read(seen(row, "stopped"), at=NOW - 1), **fields)) == []


def test_a_machine_on_an_unreachable_host_is_not_taken_for_ended():
    row = machine(state=MachineState.BOUND, age=900)
    at_work = runner(row, RunnerState.BUSY, job_id=1)
    dark = machines_read(seen(row, "stopped", host_ok=False))
    assert kinds(snapshot(machines=(row,), runners=(at_work,), fly=dark)) == []


@pytest.mark.parametrize("because", [{"destroy_sent_at": NOW - 60}, {}])
def test_a_job_that_names_a_machine_vetoes_its_end_whatever_the_rows_say(because):
    row = machine(state=MachineState.BOUND, age=300, **because)
    running = job(1, JobState.IN_PROGRESS, runner_name=f"{row.name}-1")
    assert kinds(snapshot(machines=(row,), jobs=(running,))) == []
    lost = replace(running, lost=Reason.MACHINE_LOST)
    assert kinds(snapshot(machines=(row,), jobs=(lost,), github=runners_read())) == [Destroy]


def test_a_machine_that_returns_from_the_dead_is_swept_once_per_effect():
    ghost = seen(machine(7, state=MachineState.BOUND))
    before = snapshot(fly=machines_read(ghost), github=runners_read())
    assert kinds(before) == [SweepMachine]
    assert kinds(replace(before, swept={ghost.name: NOW - 3})) == []
    assert kinds(replace(before, swept={ghost.name: NOW - TIMING.destroy_again - 1})) == [SweepMachine]


def test_a_swept_registration_is_left_alone_until_its_delete_is_due_again():
    name = f"{machine(7).name}-1"
    before = snapshot(github=runners_read(registered(name, online=False)))
    assert kinds(before) == [SweepRegistration]
    assert kinds(replace(before, swept={name: NOW - 3})) == []


def test_a_fleet_whose_name_begins_like_ours_keeps_its_registrations():
    foreign = [f"{FLEET}-2-web-m000000001-1", f"{FLEET}-other-m000000001-1", f"{FLEET}web-m000000001-1"]
    reading = runners_read(*(registered(name, online=False) for name in foreign))
    assert kinds(snapshot(github=reading)) == []


# --- stopped spares that do not start ---


def test_a_spare_whose_host_is_full_is_replaced_and_its_job_gets_a_new_machine():
    full = stopped(state_at=NOW - 1, boot=Boot("m", 1, NOW - 3), reason=Reason.LAUNCH_NO_CAPACITY, age=500)
    before = snapshot(pools=(pool(stopped=1),), machines=(full,), jobs=(job(),))
    assert set(kinds(before)) == {Destroy, Launch}


def test_a_spare_whose_start_was_refused_rests_before_it_is_started_again():
    tired = stopped(state_at=NOW - 1, boot=Boot("m", 1, NOW - 3), reason=Reason.LAUNCH_REFUSED, age=500)
    before = snapshot(pools=(pool(stopped=1),), machines=(tired,), jobs=(job(),))
    assert Launch in kinds(before)
    assert StartSpare not in kinds(before)
    rested = replace(tired, state_at=NOW - TIMING.capacity_memory - 1)
    assert StartSpare in kinds(replace(before, machines=(rested,)))


def test_a_job_does_not_wait_for_a_spare_in_an_app_that_is_left_alone():
    limits = Limits(blocked_until={f"fly:{APP}": NOW + 600})
    fields = {"machines": (stopped(),), "jobs": (job(),), "limits": limits}
    (launch,) = plan(snapshot(pools=(pool(stopped=1, apps=(APP, "other")),), **fields)).actions
    assert (type(launch), launch.app) == (Launch, "other")
    assert kinds(snapshot(pools=(pool(stopped=1),), **fields)) == []


# --- caps, spares and jobs ---


def spares(count, of="web", first=1):
    return tuple(stopped(first + n, pool=of) for n in range(count))


def test_a_spare_gives_way_when_the_fleets_cap_keeps_another_pools_job_waiting():
    pools = (pool("web", stopped=2), pool("big"))
    fields = {"pools": pools, "machines": spares(2), "max_machines": 2}
    (destroy,) = plan(snapshot(jobs=(job(pool="big"),), **fields)).actions
    assert (type(destroy), destroy.why.reason) == (Destroy, Reason.FLEET_AT_MAX)
    assert kinds(snapshot(jobs=(), **fields)) == []


def test_no_second_spare_gives_way_while_the_first_is_on_its_way_out():
    first, second = spares(2)
    rows = (replace(first, destroy_sent_at=NOW - 2), second)
    before = snapshot(pools=(pool(stopped=2), pool("big")), machines=rows, max_machines=2)
    assert kinds(replace(before, jobs=(job(pool="big"),))) == []


def test_no_spare_gives_way_to_a_job_that_is_held_for_another_reason():
    pools = (pool("web", stopped=2), pool("big", max_machines=0))
    fields = {"pools": pools, "machines": spares(2), "max_machines": 2}
    assert kinds(snapshot(jobs=(job(pool="big"),), **fields)) == []


def test_a_cap_that_was_lowered_takes_spares_first_and_no_runner():
    at_work = machine(9, state=MachineState.BOUND)
    rows = (*spares(3), at_work)
    before = snapshot(
        pools=(pool(stopped=3, max_machines=2),),
        machines=rows,
        runners=(runner(at_work, RunnerState.BUSY, job_id=1),),
    )
    destroyed = [action.machine for action in plan(before).actions]
    assert destroyed == [rows[2].name, rows[1].name]


def test_no_spare_is_made_while_a_job_of_its_pool_waits():
    limits = Limits(writes_per_minute=1, writes={"acme": (NOW - 5,)})
    decided = plan(snapshot(pools=(pool(ready=2, stopped=2),), jobs=(job(),), limits=limits))
    assert decided.actions == ()


def test_no_spare_takes_the_fleets_last_room_from_a_job_that_waits_for_a_token():
    pools = (pool("web"), pool("big", apps=("other",), ready=1))
    limits = Limits(creates={APP: (NOW, NOW, NOW)})
    fields = {"pools": pools, "limits": limits, "jobs": (job(),)}
    assert kinds(snapshot(max_machines=1, **fields)) == []
    assert kinds(snapshot(max_machines=2, **fields)) == [Launch]


def test_held_launches_of_a_full_pool_do_not_spoil_the_choice_of_apps_of_another():
    pools = (pool("web", apps=("b",), max_machines=0), pool("big", apps=("a", "b")))
    waiting = tuple(job(n, pool="web") for n in range(20))
    decided = plan(snapshot(pools=pools, jobs=(*waiting, *(job(100 + n, pool="big") for n in range(6)))))
    assert sorted(action.app for action in decided.actions) == ["a", "a", "a", "b", "b", "b"]


# --- operators ---


def test_a_drained_pool_ends_booting_runners_and_their_machines_in_one_plan_and_spares_the_busy():
    booting, at_work = machine(1), machine(2, state=MachineState.BOUND)
    before = snapshot(
        pools=(pool(drained=True),),
        machines=(booting, at_work),
        runners=(runner(booting), runner(at_work, RunnerState.BUSY, job_id=1)),
    )
    retire, destroy = plan(before).actions
    assert (retire.runner, destroy.machine) == (f"{booting.name}-1", booting.name)


def test_a_pool_removed_from_the_settings_ends_what_is_not_busy():
    idle, at_work, spare = (
        machine(1, MachineState.BOUND, pool="old"),
        machine(2, MachineState.BOUND, pool="old"),
        ready(3, pool="old"),
    )
    before = snapshot(
        machines=(idle, at_work, spare),
        runners=(runner(idle, RunnerState.IDLE), runner(at_work, RunnerState.BUSY, job_id=1)),
    )
    assert {getattr(action, "runner", None) or action.machine for action in plan(before).actions} == {
        f"{idle.name}-1",
        spare.name,
    }


def test_a_machine_that_is_silent_too_long_is_not_given_to_another_job():
    row = machine(state=MachineState.CREATING, fly_id=None, age=TIMING.boot_deadline + 5)
    assert set(kinds(snapshot(machines=(row,), jobs=(job(),)))) == {Destroy, Launch}
