"""A pool whose runner group lets in whom it does not serve launches nothing; what runs a job goes on."""

import pytest

from runners.model.groups import RunnerGroup, ScopeSeen
from runners.model.reason import Reason, Why
from runners.model.states import MachineState, RunnerState
from runners.planning.explain import explain
from runners.planning.plan import BindSpare, Destroy, Launch, Retire, StartSpare
from runners.planning.planned import planned
from runners.planning.planner import plan
from runners.planning.trust import distrusted, why_distrusted
from tests.planning.builders import NOW, job, machine, pool, ready, runner, snapshot, stopped

PRIVATE = RunnerGroup("Default", "all", allows_public=False)
PUBLIC = RunnerGroup("Default", "all", allows_public=True)
DEFINITE = (Reason.GROUP_ALLOWS_PUBLIC, Reason.GROUP_MISSING, Reason.PUBLIC_REPOSITORY)


def reason(seen, **settings):
    why = why_distrusted(pool(**settings).settings, seen)
    return None if why is None else why.reason


@pytest.mark.parametrize(
    ("seen", "settings", "expected"),
    [
        (ScopeSeen((PRIVATE,)), {}, None),
        (ScopeSeen((PRIVATE,)), {"runner_group": "DEFAULT"}, None),
        (ScopeSeen((PUBLIC,)), {}, Reason.GROUP_ALLOWS_PUBLIC),
        (ScopeSeen((PUBLIC,)), {"allow_public": True}, None),
        (ScopeSeen((PRIVATE,)), {"allow_public": True}, None),
        (ScopeSeen((PRIVATE,)), {"runner_group": "ci"}, Reason.GROUP_MISSING),
        (ScopeSeen(), {"allow_public": True}, Reason.GROUP_MISSING),
        (None, {}, Reason.GROUP_UNREAD),
        (None, {"allow_public": True}, None),
        (None, {"scope": "repos/acme/web"}, Reason.GROUP_UNREAD),
        (ScopeSeen(private=True), {"scope": "repos/acme/web"}, None),
        (ScopeSeen(private=False), {"scope": "repos/acme/web"}, Reason.PUBLIC_REPOSITORY),
        (ScopeSeen(private=False), {"scope": "repos/acme/web", "allow_public": True}, None),
    ],
)
def test_a_pool_is_distrusted_for_what_is_known_and_for_what_was_never_read(seen, settings, expected):
    assert reason(seen, **settings) is expected


def test_scopes_are_one_in_whatever_case_they_are_spelt():
    pools = [pool(scope="orgs/Acme").settings, pool("api").settings]
    assert distrusted(pools, {"orgs/acme": ScopeSeen((PRIVATE,))}) == {}


def closed(which, **fields):
    return snapshot(distrust={"web": Why(which, "as GitHub says")}, **fields)


@pytest.mark.parametrize("which", [*DEFINITE, Reason.GROUP_UNREAD])
def test_where_a_credential_is_missing_that_is_why_nobody_has_read_the_group(which):
    world = closed(which, jobs=(job(1),), missing_credentials={"github:acme": "THE_TOKEN"})
    (held,) = [entry.why for entry in plan(world).held if entry.target == "job/1"]
    assert held.reason is (Reason.CREDENTIAL_MISSING if which is Reason.GROUP_UNREAD else which)
    assert ("THE_TOKEN" in held.detail) is (which is Reason.GROUP_UNREAD)


@pytest.mark.parametrize("which", [*DEFINITE, Reason.GROUP_UNREAD])
def test_its_jobs_are_held_with_the_reason_and_nothing_is_made_started_or_bound_for_them(which):
    world = closed(
        which,
        jobs=(job(1), job(2)),
        machines=(ready(1), stopped(2)),
        pools=(pool(ready=2, stopped=2),),
    )
    decided = plan(world)
    assert not [each for each in decided.actions if isinstance(each, (Launch, StartSpare, BindSpare))]
    assert {entry.why.reason for entry in decided.held} == {which}
    assert {why.reason for why in explain(world, decided).values()} == {which}


@pytest.mark.parametrize("which", DEFINITE)
@pytest.mark.parametrize("state", [RunnerState.REQUESTED, RunnerState.BOOTING, RunnerState.IDLE])
def test_a_runner_that_a_stranger_could_get_takes_no_more_work(which, state):
    row = machine(state=MachineState.BOUND if state is RunnerState.IDLE else MachineState.STARTING)
    live = runner(row, state)
    world = closed(which, jobs=(job(),), machines=(row,), runners=(live,))
    decided = plan(world)
    assert [each.why.reason for each in decided.actions if isinstance(each, Retire)] == [which]
    assert plan(planned(world, decided.actions)).actions == ()


@pytest.mark.parametrize("which", [*DEFINITE, Reason.GROUP_UNREAD])
def test_a_busy_runner_goes_on(which):
    row = machine(state=MachineState.BOUND)
    world = closed(which, machines=(row,), runners=(runner(row, RunnerState.BUSY),))
    assert not [each for each in plan(world).actions if isinstance(each, (Retire, Destroy))]


def test_what_nobody_has_read_yet_ends_nothing_that_is_there():
    """After a restart: GitHub may be away for a while, and the runners were fine before."""
    row = machine(state=MachineState.BOUND)
    live = runner(row, RunnerState.IDLE, age=5)
    world = closed(Reason.GROUP_UNREAD, jobs=(job(),), machines=(row,), runners=(live,))
    assert plan(world).actions == ()


def test_other_pools_go_on():
    jobs = (job(1), job(2, pool="api"))
    decided = plan(closed(Reason.GROUP_MISSING, jobs=jobs, pools=(pool(), pool("api"))))
    assert [each.pool for each in decided.actions if isinstance(each, Launch)] == ["api"]


@pytest.mark.parametrize("which", [*DEFINITE, Reason.GROUP_UNREAD])
def test_that_a_pool_is_closed_is_said_while_no_job_waits_too(which):
    (entry,) = plan(closed(which)).held
    assert (entry.target, entry.pool, entry.why.reason) == ("pool/web", "web", which)


def test_the_wait_has_no_forecast_of_its_end():
    assert plan(closed(Reason.GROUP_UNREAD, jobs=(job(),), now=NOW)).wake_at is None
