"""A class whose Machines die before they are runners is not booted again as fast as it dies."""

from runners.model.nouns import Boot
from runners.model.reason import Reason
from runners.model.snapshot import EarlyExit
from runners.planning.plan import BindSpare, Launch, StartSpare
from runners.planning.planner import plan
from runners.planning.storms import ENDS, storm_refusals
from tests.planning.builders import NOW, TIMING, job, machine, pool, ready, snapshot, stopped

POOLS = (pool(apps=("a", "b")),)
LATER = NOW + TIMING.capacity_memory


def exits(count, machine_class="web"):
    return [EarlyExit(machine_class, NOW - 10 + index, Reason.EXIT_RUNNER_OUTDATED) for index in range(count)]


def planned(ends, at=NOW, jobs=1, **fields):
    queued = tuple(job(number) for number in range(jobs))
    refusals = storm_refusals(ends, {})
    return plan(
        snapshot(**{"now": at, "pools": POOLS, "jobs": queued, "refusals": refusals, "fly": {}} | fields)
    )


def launches(decided):
    return [action for action in decided.actions if isinstance(action, Launch)]


def test_fewer_ends_than_a_storm_hold_nothing_back():
    assert storm_refusals(exits(ENDS - 1), {}) == ()
    assert launches(planned(exits(ENDS, "other")))


def test_ends_between_runners_that_came_online_are_no_storm():
    assert storm_refusals(exits(ENDS), {"web": NOW - 9.5}) == ()
    assert storm_refusals(exits(ENDS), {"web": NOW - 11, "other": NOW}) != ()


def test_a_storm_holds_the_class_on_every_app_with_the_reason_of_the_last_end():
    decided = planned(exits(ENDS))
    assert decided.actions == ()
    (held,) = decided.held
    assert held.why.reason is Reason.EXIT_RUNNER_OUTDATED
    assert held.why.until == NOW - 10 + ENDS - 1 + TIMING.capacity_memory


def test_after_a_while_one_launch_tries_the_class_and_the_others_wait_for_its_verdict():
    decided = planned(exits(ENDS), LATER, jobs=4)
    assert [action.job_id for action in launches(decided)] == [0]
    assert {held.why.reason for held in decided.held} == {Reason.EXIT_RUNNER_OUTDATED}
    assert all("one launch tries it again first" in held.why.detail for held in decided.held)


def test_no_second_launch_follows_while_the_first_has_not_become_a_runner():
    trial = machine(1, requested_at=LATER, boot=Boot("m", 1, LATER), app="a")
    waiting = planned(exits(ENDS), LATER + 5, machines=(trial,), jobs=4)
    assert [type(action) for action in waiting.actions] == [BindSpare]
    late = machine(1, age=60, app="a")
    assert launches(planned(exits(ENDS), LATER + 5, machines=(late,), jobs=2))


def test_in_a_storm_no_stopped_spare_is_lost_to_it_and_none_is_made_but_booted_ones_serve():
    pools = (pool(apps=("a", "b"), stopped=2, ready=1),)
    rows = (stopped(1, app="a"), stopped(2, app="a"), ready(3, app="a"))
    decided = planned(exits(ENDS), jobs=2, pools=pools, machines=rows)
    assert [type(action) for action in decided.actions] == [BindSpare]
    trial = planned(exits(ENDS), LATER, jobs=2, pools=pools, machines=rows)
    assert not [action for action in trial.actions if isinstance(action, StartSpare)]
    assert [action.start for action in launches(trial)] == [True]


def test_a_stopped_spare_is_not_what_tries_a_broken_class():
    decided = planned(exits(ENDS), LATER, jobs=0, pools=(pool(apps=("a",), stopped=1),))
    assert decided.actions == ()
