"""A class whose Machines die before they are runners is not booted again as fast as it dies."""

from runners.model.reason import Reason
from runners.model.snapshot import EarlyExit
from runners.planning.plan import Launch
from runners.planning.planner import plan
from runners.planning.storms import ENDS, storm_refusals
from tests.planning.builders import NOW, TIMING, job, pool, snapshot

POOLS = (pool(apps=("a", "b")),)


def exits(count, machine_class="web"):
    return [EarlyExit(machine_class, NOW - 10 + index, Reason.EXIT_RUNNER_OUTDATED) for index in range(count)]


def planned(ends, at=NOW):
    refusals = storm_refusals(ends, [each.settings for each in POOLS])
    return plan(snapshot(now=at, pools=POOLS, jobs=(job(),), refusals=refusals, fly={}))


def test_fewer_ends_than_a_storm_hold_nothing_back():
    assert storm_refusals(exits(ENDS - 1), [each.settings for each in POOLS]) == ()
    assert storm_refusals(exits(ENDS, "other"), [each.settings for each in POOLS]) == ()


def test_a_storm_holds_the_class_on_every_app_with_the_reason_of_the_last_end():
    decided = planned(exits(ENDS))
    assert decided.actions == ()
    (held,) = decided.held
    assert held.why.reason is Reason.EXIT_RUNNER_OUTDATED
    assert held.why.until == NOW - 10 + ENDS - 1 + TIMING.capacity_memory


def test_after_a_while_the_class_is_tried_again():
    later = NOW + TIMING.capacity_memory
    assert any(isinstance(action, Launch) for action in planned(exits(ENDS), later).actions)
