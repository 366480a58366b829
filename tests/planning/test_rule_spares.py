"""Spares: which are started for a job, which rest, which are given up."""

from dataclasses import replace

import pytest

from runners.model.nouns import Boot
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.planning.plan import Destroy, Launch, Retire, StartSpare
from runners.planning.planner import plan
from runners.planning.spares import REFUSED_STARTS, START_TRIES
from tests.planning.builders import (
    NOW,
    TIMING,
    job,
    machine,
    machines_read,
    pool,
    ready,
    runner,
    seen,
    snapshot,
    stopped,
)


def kinds(before):
    return [type(action) for action in plan(before).actions]


def one_job(*spares, **fields):
    """A job, and these stopped spares of a pool that keeps as many."""
    return snapshot(pools=(pool(stopped=len(spares), **fields),), machines=spares, jobs=(job(),))


def refused(number=1, reason=Reason.LAUNCH_NOT_READY, *, ago=1.0, tries=1, **fields):
    boot = Boot("m", tries, NOW - ago - 1)
    return stopped(number, state_at=NOW - ago, boot=boot, reason=reason, **({"age": 500} | fields))


# --- both readings of skip_launch ---


def test_a_new_spare_is_not_started_before_fly_has_it_in_place_and_the_job_does_not_wait():
    new = stopped(age=5)
    assert kinds(one_job(new)) == [Launch]
    shown_created = replace(one_job(new), fly={new.app: machines_read(seen(new, "created"))})
    assert kinds(shown_created) == [Launch]


def test_a_new_spare_that_the_list_shows_stopped_is_started():
    new = stopped(age=5)
    before = replace(one_job(new), fly={new.app: machines_read(seen(new, "stopped"))})
    assert StartSpare in kinds(before)


def test_a_spare_that_stays_created_long_enough_is_taken_for_a_stopped_one():
    old = stopped(age=TIMING.spare_settle + 1)
    before = replace(one_job(old), fly={old.app: machines_read(seen(old, "created"))})
    assert StartSpare in kinds(before)
    assert StartSpare in kinds(one_job(old))


# --- starts that are refused ---


def test_a_spare_that_is_not_ready_yet_rests_and_the_job_takes_another_one():
    tired, fresh = refused(1), stopped(2)
    before = one_job(tired, fresh)
    assert [action.machine for action in plan(before).actions if isinstance(action, StartSpare)] == [
        fresh.name
    ]
    assert kinds(one_job(tired)) == [Launch]


def test_a_spare_that_was_not_ready_is_tried_again_sooner_than_one_that_was_refused():
    ago = TIMING.start_again + 1
    assert StartSpare in kinds(one_job(refused(ago=ago)))
    assert StartSpare not in kinds(one_job(refused(reason=Reason.LAUNCH_REFUSED, ago=ago)))


def test_a_spare_that_never_starts_is_replaced():
    hopeless = refused(ago=500, tries=START_TRIES)
    destroy, launch = plan(replace(one_job(hopeless), jobs=())).actions
    assert (type(destroy), destroy.why.reason) == (Destroy, Reason.LAUNCH_NOT_READY)
    assert (type(launch), launch.start) == (Launch, False)
    once = refused(ago=500, tries=START_TRIES - 1)
    assert kinds(replace(one_job(once), jobs=())) == []


def test_a_job_meets_at_most_two_spares_that_are_not_ready_before_it_gets_a_new_machine():
    tired = tuple(refused(number) for number in range(1, REFUSED_STARTS + 1))
    assert StartSpare not in kinds(one_job(*tired, stopped(8)))
    assert StartSpare in kinds(one_job(*tired[1:], stopped(8)))


# --- full hosts ---


def full(number, **fields):
    return refused(number, Reason.LAUNCH_NO_CAPACITY, **fields)


def test_one_full_host_costs_one_spare_and_no_other_its_use():
    before = one_job(full(1), stopped(2))
    decided = plan(before).actions
    assert [action.machine for action in decided if isinstance(action, StartSpare)] == [stopped(2).name]
    assert [action.machine for action in decided if isinstance(action, Destroy)] == [full(1).name]


def test_after_two_full_hosts_the_job_gets_a_new_machine_and_other_regions_spares_are_still_started():
    hosts = tuple(full(number) for number in range(1, REFUSED_STARTS + 1))
    assert StartSpare not in kinds(one_job(*hosts, stopped(8)))
    elsewhere = stopped(9, region="ord")
    started = [
        action.machine
        for action in plan(one_job(*hosts, stopped(8), elsewhere)).actions
        if isinstance(action, StartSpare)
    ]
    assert started == [elsewhere.name]


# --- starts that never arrived ---


def starting(state, *, asked=20.0, read=1.0, cold=False):
    """A spare whose start was committed ``asked`` seconds ago, and Fly's list of ``read`` seconds ago."""
    boot = Boot("m", 1, NOW - asked)
    row = machine(1, state_at=NOW - asked, boot=boot, age=asked if cold else 500)
    its_runner = runner(row, RunnerState.REQUESTED, age=asked)
    reading = machines_read(seen(row, state), at=NOW - read)
    return snapshot(
        pools=(pool(stopped=1),), machines=(row,), runners=(its_runner,), jobs=(job(),), fly=reading
    )


@pytest.mark.parametrize("state", ["stopped", "created"])
def test_a_start_that_never_reached_fly_is_noticed_and_the_job_served_by_another_machine(state):
    retire, destroy, launch = [
        action for action in plan(starting(state)).actions if getattr(action, "job_id", 1) is not None
    ]
    assert (type(retire), retire.why.reason) == (Retire, Reason.NEVER_STARTED)
    assert (type(destroy), type(launch)) == (Destroy, Launch)


@pytest.mark.parametrize(
    "before",
    [
        pytest.param(starting("starting"), id="it is starting"),
        pytest.param(starting("stopped", read=10.0), id="the list was asked for too soon after the start"),
        pytest.param(starting("created", cold=True), id="a cold Machine is created until it runs"),
    ],
)
def test_a_start_is_not_taken_for_lost_while_it_may_be_under_way(before):
    assert Retire not in kinds(before)


def test_no_job_is_let_in_for_a_second_lost_start():
    before = starting("stopped")
    fresh = stopped(2)
    both = replace(before, machines=(*before.machines, fresh))
    assert StartSpare not in kinds(both)
    assert StartSpare in kinds(replace(both, machines=(*before.machines, replace(fresh, app="other"))))


def test_a_spare_whose_start_was_lost_after_its_job_was_cancelled_is_replaced():
    before = replace(starting("stopped"), runners=(), jobs=())
    destroy, _ = plan(before).actions
    assert (type(destroy), destroy.why.reason) == (Destroy, Reason.NEVER_STARTED)


# --- hosts that cannot be reached ---


def dark(make):
    row = make(1, age=500)
    reading = machines_read(seen(row, "stopped" if row.boot is None else "started", host_ok=False))
    kept = {"stopped": 1} if row.boot is None else {"ready": 1}
    return row, snapshot(pools=(pool(**kept),), machines=(row,), fly=reading)


@pytest.mark.parametrize("make", [stopped, ready])
def test_a_job_does_not_wait_for_a_spare_on_a_host_that_cannot_be_reached(make):
    _, before = dark(make)
    decided = plan(replace(before, jobs=(job(),))).actions
    assert [type(action) for action in decided if getattr(action, "job_id", None)] == [Launch]


@pytest.mark.parametrize("make", [stopped, ready])
def test_a_spare_on_a_host_that_cannot_be_reached_goes_once_another_is_in_place(make):
    row, before = dark(make)
    assert kinds(before) == [Launch]
    (destroy,) = plan(replace(before, machines=(row, make(2, age=500)))).actions
    assert (destroy.machine, destroy.why.reason) == (row.name, Reason.HOST_UNREACHABLE)


def test_a_start_at_a_host_that_cannot_be_reached_is_taken_for_lost():
    before = starting("stopped")
    (reading,) = before.fly.values()
    hidden = {name: replace(each, host_ok=False) for name, each in reading.machines.items()}
    assert Retire in kinds(replace(before, fly=dict.fromkeys(before.fly, replace(reading, machines=hidden))))
