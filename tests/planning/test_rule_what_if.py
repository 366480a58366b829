"""What if N more jobs were queued: the answer is what the planner does when they really are."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from runners.model.reason import Reason
from runners.model.settings import FlySettings, Settings
from runners.model.snapshot import Limits, Pace, Refusal
from runners.model.states import RunnerState
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.plan import Why
from runners.planning.planner import plan
from runners.planning.what_if import PACING, SUPPLIED, Wish, what_if
from tests.planning.builders import APP, IMAGE, NOW, job, machine, pool, ready, runner, snapshot, stopped
from tests.properties.nasty import snapshots

LABEL = "fly-web"


def settings_of(before, **fields):
    return Settings(
        fly=FlySettings(image=IMAGE), pools=tuple(each.settings for each in before.pools), **fields
    )


def asked(before, count=1, *, labels=(LABEL,), repository=None, pools=None):
    seen = frozenset(each.name for each in before.pools) if pools is None else frozenset(pools)
    return what_if(before, settings_of(before), Wish(labels, count, repository, seen))


def test_an_empty_pool_starts_as_many_as_its_cap():
    prospect = asked(snapshot(pools=(pool(max_machines=3),)), 3)
    assert (prospect.pool, prospect.startable, prospect.why) == ("web", 3, None)
    prospect = asked(snapshot(pools=(pool(max_machines=3),)), 5)
    assert (prospect.startable, prospect.why.reason) == (3, Reason.POOL_AT_MAX)
    assert prospect.first.expected_start > NOW
    assert prospect.last.expected_start is None


def test_calls_that_are_paced_count_as_supply_and_do_not_hide_the_cap_behind_them():
    slow = Limits(creates_per_second=1.0, create_burst=2)
    before = snapshot(pools=(pool(max_machines=6),), limits=slow)
    assert (asked(before, 6).startable, asked(before, 6).why) == (6, None)
    beyond = asked(before, 7)
    assert (beyond.startable, beyond.why.reason) == (6, Reason.POOL_AT_MAX)
    spent = Limits(writes_per_minute=2, writes={"acme": (NOW - 5, NOW - 4)})
    prospect = asked(snapshot(limits=spent), 2)
    assert (prospect.startable, prospect.why) == (2, None)
    assert prospect.first.earliest > NOW


def test_what_others_have_queued_goes_first():
    before = snapshot(pools=(pool(max_machines=3),), jobs=(job(1), job(2, age=0.0)))
    assert asked(before, 1).startable == 1
    prospect = asked(before, 2)
    assert (prospect.startable, prospect.why.reason) == (1, Reason.POOL_AT_MAX)


def test_runners_that_are_there_and_spares_are_supply():
    idle = machine(1)
    before = snapshot(
        pools=(pool(max_machines=3, ready=1, stopped=1),),
        machines=(idle, ready(2), stopped(3)),
        runners=(runner(idle, RunnerState.IDLE),),
    )
    assert asked(before, 3).startable == 3
    assert asked(before, 4).why.reason is Reason.POOL_AT_MAX


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"paused": True}, Reason.FLEET_PAUSED),
        ({"pools": (pool(drained=True),)}, Reason.POOL_DRAINED),
        ({"max_machines": 0}, Reason.FLEET_AT_MAX),
        ({"pools": (pool(daily_budget_usd=5.0, spent=5.0),)}, Reason.POOL_BUDGET_SPENT),
        ({"daily_budget_usd": 1.0, "pools": (pool(spent=1.0),)}, Reason.FLEET_BUDGET_SPENT),
        ({"missing_credentials": {"fly": "FLY_API_TOKEN"}}, Reason.CREDENTIAL_MISSING),
        ({"missing_credentials": {"github:acme": "X"}}, Reason.CREDENTIAL_MISSING),
        ({"limits": Limits(blocked_until={f"fly:{APP}": NOW + 60})}, Reason.FLY_BREAKER_OPEN),
        ({"limits": Limits(blocked_until={"github:acme": NOW + 60})}, Reason.GITHUB_BREAKER_OPEN),
        ({"limits": Limits(blocked_until={"mint:web": NOW + 60})}, Reason.MINT_REFUSED),
        (
            {"refusals": (Refusal("iad", "web", NOW - 5, Why(Reason.NO_CAPACITY, "full")),)},
            Reason.NO_CAPACITY,
        ),
    ],
)
def test_what_keeps_a_job_waiting_says_no(fields, reason):
    prospect = asked(snapshot(**fields), 2)
    assert (prospect.pool, prospect.startable, prospect.why.reason) == ("web", 0, reason)


def test_a_drained_pool_hands_over_to_its_fallback():
    pools = (pool(drained=True, fallback="spare"), pool("spare", labels=(LABEL,)))
    assert asked(snapshot(pools=pools)).pool == "spare"


def test_labels_that_no_pool_has_are_unknown():
    for labels in (("huge",), (LABEL, "gpu")):
        prospect = asked(snapshot(), labels=labels)
        assert (prospect.pool, prospect.startable, prospect.why.reason) == (None, 0, Reason.LABELS_UNKNOWN)


def test_a_repository_that_no_scope_covers_is_not_served():
    prospect = asked(snapshot(), repository="elsewhere/web")
    assert (prospect.pool, prospect.why.reason) == (None, Reason.REPOSITORY_NOT_ALLOWED)
    assert asked(snapshot(), repository="acme/anything").pool == "web"


def test_a_hidden_pool_is_as_one_that_is_not_there():
    before, absent = snapshot(pools=(pool(), pool("other"))), snapshot(pools=(pool("other"),))
    for repository in (None, "acme/web"):
        hidden = asked(before, repository=repository, pools=("other",))
        assert hidden == asked(absent, repository=repository)


def test_a_job_that_would_go_to_a_hidden_pool_is_not_promised_to_a_visible_one():
    pools = (pool("first", labels=(LABEL,)), pool("second", labels=(LABEL,)))
    assert asked(snapshot(pools=pools), pools=("second",)).pool is None


def test_without_a_repository_the_pool_is_asked_by_one_that_it_serves():
    pools = (pool("theirs", scope="repos/globex/app", labels=(LABEL,)), pool())
    assert asked(snapshot(pools=pools)).pool == "theirs"
    assert asked(snapshot(pools=pools), pools=("web",)).pool == "web"
    assert asked(snapshot(pools=pools), repository="acme/x").pool == "web"


def test_the_last_one_starts_when_a_busy_runner_ends():
    row = machine(1, age=100.0)
    busy = runner(row, RunnerState.BUSY, job_id=9)
    pace = {"web": Pace(start_p50=10.0, start_p90=20.0, job_p50=300.0, samples=30)}
    before = snapshot(pools=(pool(max_machines=2),), machines=(row,), runners=(busy,), pace=pace)
    prospect = asked(before, 2)
    assert prospect.first.expected_start == NOW + 10.0
    assert prospect.last.expected_start == NOW + 200.0 + 10.0


def test_asking_changes_nothing():
    before = snapshot(jobs=(job(1),))
    decided = plan(before)
    asked(before, 5)
    assert plan(before) == decided


ANY = how(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
AMPLE = {"create_burst": 10_000, "creates": {}, "writes_per_minute": 10_000, "writes": {}}


@ANY
@given(snapshots(), st.integers(1, 12), st.booleans(), st.data())
def test_what_if_says_what_the_plan_does_when_the_jobs_really_are_queued(before, count, ample, data):
    if ample:
        before = replace(before, limits=replace(before.limits, **AMPLE))
    chosen = data.draw(st.sampled_from(before.pools)).settings
    place = chosen.scope.partition("/")[2]
    repository = place if chosen.scope.startswith("repos/") else f"{place}/some"
    prospect = asked(before, count, labels=chosen.served_labels, repository=repository)
    if prospect.pool is None:
        assert prospect.why.reason in (Reason.LABELS_UNKNOWN, Reason.REPOSITORY_NOT_ALLOWED)
        return
    real = tuple(
        job(70_000 + number, pool=prospect.pool, repository=repository, age=-1.0) for number in range(count)
    )
    queued = replace(before, jobs=(*before.jobs, *real))
    decided = plan(queued)
    whys = explain(queued, decided)
    reasons = [whys[each.id] for each in real]
    supplied = [why.reason in SUPPLIED | PACING for why in reasons]
    if any(entry.why.reason in PACING for entry in decided.held):
        # Once nothing is paced, no more than now counts as supply or paced is supplied.
        assert prospect.startable <= sum(supplied)
        return
    assert prospect.startable == sum(supplied)
    assert prospect.why == next((why for why, ok in zip(reasons, supplied, strict=True) if not ok), None)
    forecasts = forecast(queued, decided, whys)
    assert (prospect.first, prospect.last) == (forecasts[real[0].id], forecasts[real[-1].id])
