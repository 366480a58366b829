"""Roll-over: new spares come before old ones go, within caps and budgets, and old ones serve until then."""

from dataclasses import replace

import pytest

from runners.model.reason import Reason
from runners.model.snapshot import Limits
from runners.model.states import MachineState, RunnerState
from runners.planning.plan import BindSpare, Destroy, Launch, StartSpare
from runners.planning.planner import plan
from tests.planning.builders import (
    NOW,
    TIMING,
    job,
    machine,
    pool,
    ready,
    runner,
    snapshot,
    stopped,
)
from tests.properties.rows import applied

PRINT = {"web": "f-now"}


def now(row):
    """That spare, of the present class file."""
    return replace(row, fingerprint="f-now")


def old(row, **change):
    return replace(now(row), **(change or {"image": "old"}))


def world(*rows, jobs=0, **settings):
    fields = {"machines": rows, "jobs": tuple(job(n) for n in range(jobs)), "fingerprints": PRINT}
    caps = {"max_machines": settings.pop("fleet", 50)}
    return snapshot(pools=(pool(**settings),), **fields, **caps)


def of(kind, before):
    return [action for action in plan(before).actions if isinstance(action, kind)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"image": "old"}, id="image"),
        pytest.param({"machine_class": "other"}, id="class"),
        pytest.param({"fingerprint": "f-before"}, id="class file"),
        pytest.param({"fingerprint": None}, id="made before fingerprints were kept"),
        pytest.param({"requested_at": NOW - TIMING.spare_max_age - 1}, id="age"),
    ],
)
@pytest.mark.parametrize("kind", ["ready", "stopped"])
def test_a_stale_spare_stays_until_a_new_one_is_in_place(change, kind):
    make = {"ready": ready, "stopped": stopped}[kind]
    spare = old(make(1), **change)
    before = world(spare, **{kind: 1})
    (launch,) = plan(before).actions
    assert (type(launch), launch.start, launch.job_id) == (Launch, kind == "ready", None)
    assert "1 to be replaced" in launch.why.detail
    (destroy,) = plan(world(spare, now(make(2)), **{kind: 1})).actions
    assert (type(destroy), destroy.machine) == (Destroy, spare.name)
    assert destroy.why.reason is (Reason.TOO_OLD if "requested_at" in change else Reason.SPARE_OUTDATED)


def test_a_spare_of_the_present_image_and_class_stays():
    assert plan(world(now(ready(1)), now(stopped(2)), ready=1, stopped=1)).actions == ()


@pytest.mark.parametrize(
    ("kind", "coming"),
    [
        pytest.param("ready", machine(2, age=5), id="booting"),
        pytest.param("stopped", stopped(2, age=5), id="not in place yet"),
        pytest.param("stopped", machine(2, MachineState.CREATING, boot=None, fly_id=None), id="being made"),
    ],
)
def test_a_new_spare_that_no_job_could_take_yet_replaces_nothing(kind, coming):
    make = {"ready": ready, "stopped": stopped}[kind]
    assert plan(world(old(make(1)), now(coming), **{kind: 1})).actions == ()


def test_warmth_never_falls_below_what_is_wanted_while_spares_roll_over():
    rows = [old(stopped(number)) for number in range(4)]
    for made in range(1, 5):
        rows.append(now(stopped(10 + made)))
        before = world(*rows, stopped=4)
        ended = {action.machine for action in of(Destroy, before)}
        rows = [row for row in rows if row.name not in ended]
        assert len(ended) == 1
        assert len(rows) == 4
    assert all(row.image != "old" for row in rows)


def test_new_spares_are_made_at_the_create_budget_and_after_demand():
    rows = tuple(old(stopped(number)) for number in range(9))
    decided = plan(world(*rows, stopped=9, max_machines=50))
    assert len([action for action in decided.actions if isinstance(action, Launch)]) == 3
    assert {held.why.reason for held in decided.held} == {Reason.FLY_CREATE_BUDGET}
    spent = replace(world(*rows, jobs=10, stopped=9, max_machines=50), limits=Limits(create_burst=1))
    assert [action.job_id for action in of(Launch, spent)] == [9]


def test_a_pool_that_wants_many_spares_leaves_create_budget_to_the_others():
    pools = (pool("web", stopped=9), pool("big", ready=1))
    before = snapshot(pools=pools)
    assert [action.pool for action in of(Launch, before)] == ["web", "big", "web"]


def test_a_job_takes_a_new_spare_first_and_a_stale_one_before_it_waits_for_a_cold_machine():
    rows = (old(stopped(1)), now(stopped(2)))
    assert [action.machine for action in of(StartSpare, world(*rows, jobs=1, stopped=2))] == [rows[1].name]
    both = world(*rows, jobs=2, stopped=2)
    assert len(of(StartSpare, both)) == 2
    assert all(action.job_id is None for action in of(Launch, both))
    waiting = (old(ready(1)), now(machine(2, age=3)))
    assert [action.machine for action in of(BindSpare, world(*waiting, jobs=1, ready=2))] == [waiting[0].name]


def test_a_runner_at_work_is_not_touched_by_a_new_image():
    used = machine(2, state=MachineState.BOUND, image="old")
    before = replace(world(old(ready(1)), used, ready=1), runners=(runner(used, RunnerState.BUSY, job_id=1),))
    assert [type(action) for action in plan(before).actions] == [Launch]


def test_at_the_pools_cap_one_stale_spare_at_a_time_makes_room():
    rows = tuple(old(stopped(number)) for number in range(3))
    before = world(*rows, stopped=3, max_machines=3)
    (destroy,) = plan(before).actions
    assert (type(destroy), destroy.why.reason) == (Destroy, Reason.SPARE_OUTDATED)
    assert plan(applied(before, plan(before))).actions == ()
    left = tuple(row for row in rows if row.name != destroy.machine)
    coming = now(machine(7, MachineState.CREATING, boot=None, fly_id=None))
    assert plan(world(*left, coming, stopped=3, max_machines=3)).actions == ()
    assert len(plan(world(*left, now(stopped(7)), stopped=3, max_machines=3)).actions) == 1


def test_at_the_fleets_cap_too():
    rows = (old(stopped(1)), old(stopped(2)))
    assert [type(action) for action in plan(world(*rows, stopped=2, fleet=2)).actions] == [Destroy]


def test_a_stale_spare_that_is_not_wanted_any_more_goes_at_once():
    assert len(of(Destroy, world(old(ready(1)), old(stopped(2))))) == 2


def test_when_a_cap_was_lowered_stale_spares_go_first():
    rows = (old(stopped(1)), now(stopped(2)))
    destroyed = [action.machine for action in of(Destroy, world(*rows, stopped=2, max_machines=1))]
    assert destroyed == [rows[0].name]
