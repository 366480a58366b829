"""Regions and apps that refused: left alone, tried by one launch, then open again."""

from collections import Counter

from runners.model.reason import Reason, Why
from runners.model.snapshot import Limits, Refusal
from runners.model.states import MachineState
from runners.planning.explain import explain
from runners.planning.places import TRIAL_MEMORIES
from runners.planning.plan import Launch
from runners.planning.planner import plan
from tests.planning.builders import NOW, TIMING, job, machine, pool, snapshot

MEMORY = TIMING.capacity_memory
ROOMY = Limits(create_burst=50)
BOTH = pool(regions=("iad", "ewr"), max_machines=50)


def full(region="iad", *, ago, of="web"):
    return Refusal(region, of, NOW - ago, Why(Reason.NO_CAPACITY, "full"))


def refused_app(app, *, ago):
    return Refusal("", "web", NOW - ago, Why(Reason.LAUNCH_REFUSED, "no"), app)


def planned(*refusals, jobs=24, at=BOTH, **fields):
    queued = tuple(job(number) for number in range(jobs))
    before = snapshot(**{"pools": (at,), "jobs": queued, "refusals": refusals, "limits": ROOMY} | fields)
    return before, plan(before)


def regions(decided):
    return Counter(action.region for action in decided.actions if isinstance(action, Launch))


def test_a_region_that_refused_is_left_alone_and_the_next_one_takes_all():
    assert regions(planned(full(ago=MEMORY - 1))[1]) == {"ewr": 24}


def test_when_its_time_is_over_one_launch_tries_it_and_the_others_take_the_next_region():
    assert regions(planned(full(ago=MEMORY))[1]) == {"iad": 1, "ewr": 23}


def test_with_one_region_the_others_wait_for_the_one_that_tries_and_are_told_so():
    before, decided = planned(full(ago=MEMORY), at=pool(regions=("iad",), max_machines=50), jobs=3)
    assert regions(decided) == {"iad": 1}
    waiting = [why for number, why in explain(before, decided).items() if number != 0]
    assert {why.reason for why in waiting} == {Reason.NO_CAPACITY}
    assert all("one launch tries it again first" in why.detail for why in waiting)
    assert all(why.until is not None for why in waiting)


def test_a_create_without_an_answer_yet_is_the_one_that_tries():
    out = machine(1, MachineState.CREATING, fly_id=None, age=2)
    assert regions(planned(full(ago=MEMORY + 5), machines=(out,))[1]) == {"ewr": 23}
    older = machine(1, MachineState.CREATING, fly_id=None, age=MEMORY)
    assert regions(planned(full(ago=MEMORY + 5), machines=(older,))[1])["iad"] == 1


def test_a_launch_that_a_cap_holds_tries_no_region_for_a_pool_of_the_same_class():
    pools = (pool("full", machine_class="web", regions=("iad",), max_machines=0), pool(regions=("iad",)))
    queued = (job(1, pool="full"), job(2))
    before = snapshot(pools=pools, jobs=queued, refusals=(full(ago=MEMORY),))
    decided = plan(before)
    assert [action.job_id for action in decided.actions] == [2]


def test_a_region_that_nobody_has_tried_for_long_is_as_good_as_any():
    assert regions(planned(full(ago=MEMORY * TRIAL_MEMORIES))[1]) == {"iad": 24}


def test_a_refusal_of_one_class_says_nothing_of_another():
    assert regions(planned(full(ago=1, of="big"))[1]) == {"iad": 24}


def apps(decided):
    return Counter(action.app for action in decided.actions if isinstance(action, Launch))


THREE = pool(apps=("a", "b", "c"), max_machines=50)


def test_creates_spread_over_the_apps_of_a_pool_and_their_rate_grows_with_them():
    for count in (1, 2, 3):
        some = pool(apps=("a", "b", "c")[:count], max_machines=50)
        decided = planned(at=some, limits=Limits())[1]
        assert apps(decided) == dict.fromkeys(some.settings.apps, 3)
        spent = dict.fromkeys(some.settings.apps, (NOW - 1.0,) * 3)
        assert apps(planned(at=some, limits=Limits(creates=spent))[1]) == dict.fromkeys(some.settings.apps, 1)


def test_an_app_that_refused_is_left_to_the_others_and_then_tried_by_one_launch():
    assert apps(planned(refused_app("a", ago=1), at=THREE, limits=Limits())[1]) == {"b": 3, "c": 3}
    later = planned(refused_app("a", ago=MEMORY), at=THREE, limits=Limits())[1]
    assert apps(later) == {"a": 1, "b": 3, "c": 3}


def test_an_app_whose_breaker_is_open_is_left_to_the_others():
    limits = Limits(blocked_until={"fly:a": NOW + 60})
    assert apps(planned(at=THREE, limits=limits)[1]) == {"b": 3, "c": 3}


def test_when_every_app_has_refused_the_launch_waits_for_the_first_that_opens():
    both = (refused_app("a", ago=5), refused_app("b", ago=50))
    _, decided = planned(*both, at=pool(apps=("a", "b")), jobs=1)
    (held,) = decided.held
    assert (held.why.reason, held.why.until) == (Reason.LAUNCH_REFUSED, NOW - 50 + MEMORY)
