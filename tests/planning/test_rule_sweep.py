"""Step 2: what exists on one side only goes, once two readings far enough apart agree."""

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.names import machine_name, runner_name
from runners.planning.plan import Destroy, Launch, SweepMachine, SweepRegistration
from runners.planning.planner import plan
from tests.planning.builders import (
    FLEET,
    NOW,
    TIMING,
    job,
    machine,
    machines_read,
    pool,
    registered,
    runner,
    runners_read,
    seen,
    snapshot,
)

STRANGER = machine(9, name=machine_name(FLEET, "web", "stranger00"))
LONG_AGO = NOW - 1 - TIMING.absence_confirm
JUST_NOW = NOW - 2


def swept(kind, **fields):
    return [action for action in plan(snapshot(**fields)).actions if isinstance(action, kind)]


def test_a_machine_of_ours_without_a_row_is_swept_after_two_agreeing_readings():
    assert swept(SweepMachine, fly=machines_read(seen(STRANGER, first_seen_at=JUST_NOW))) == []
    reading = machines_read(seen(STRANGER, first_seen_at=LONG_AGO))
    (action,) = swept(SweepMachine, fly=reading, github=runners_read())
    assert (action.fly_id, action.why.reason) == (STRANGER.fly_id, Reason.MACHINE_WITHOUT_ROW)


def test_a_machine_without_our_tag_or_on_an_unreachable_host_is_left_alone():
    for fields in ({"ours": False}, {"host_ok": False}):
        shown = seen(STRANGER, first_seen_at=LONG_AGO, **fields)
        assert swept(SweepMachine, fly=machines_read(shown)) == []


def test_a_machine_whose_runner_has_a_job_is_not_swept():
    working = job(1, JobState.IN_PROGRESS, runner_name=runner_name(STRANGER.name, 1))
    reading = machines_read(seen(STRANGER, first_seen_at=LONG_AGO))
    assert swept(SweepMachine, fly=reading, jobs=(working,)) == []


def test_a_machine_without_a_row_is_not_swept_while_github_was_not_read_since_it_was_first_seen():
    """After an older database was restored its job is in no row of ours; GitHub knows it."""
    reading = machines_read(seen(STRANGER, first_seen_at=LONG_AGO))
    assert swept(SweepMachine, fly=reading) == []
    early = runners_read(at=LONG_AGO + TIMING.absence_confirm - 1)
    assert swept(SweepMachine, fly=reading, github=early) == []


def test_a_machine_without_a_row_stays_while_a_registration_of_its_name_is_listed():
    """Busy or not: the flag lags, and only GitHub's answer to a removal tells."""
    name = runner_name(STRANGER.name, 1)
    reading = machines_read(seen(STRANGER, first_seen_at=LONG_AGO))
    for busy in (True, False):
        listed = runners_read(registered(name, busy=busy, first_seen_at=LONG_AGO))
        assert swept(SweepMachine, fly=reading, github=listed) == []
    assert [action.name for action in swept(SweepRegistration, github=listed)] == [name]


def test_a_bound_machine_without_a_runner_stays_while_a_registration_of_its_name_is_listed():
    row = machine(1, state=MachineState.BOUND, age=500.0)
    fields = {"machines": (row,), "fly": machines_read(seen(row))}
    listed = runners_read(registered(runner_name(row.name, 2), busy=True, first_seen_at=LONG_AGO))
    assert swept(Destroy, **fields, github=listed) == []
    assert swept(Destroy, **fields) == []
    assert [each.machine for each in swept(Destroy, **fields, github=runners_read())] == [row.name]


def test_a_machine_without_a_row_counts_against_the_caps_of_pool_and_fleet():
    """It runs and costs, whoever created it; one with another fleet's tag does not."""
    waiting, reading = (job(1),), machines_read(seen(STRANGER, first_seen_at=JUST_NOW))
    for room in ({"pools": (pool(max_machines=1),)}, {"max_machines": 1}):
        assert swept(Launch, jobs=waiting, fly=reading, **room) == []
        foreign = machines_read(seen(STRANGER, ours=False))
        assert len(swept(Launch, jobs=waiting, fly=foreign, **room)) == 1
    assert len(swept(Launch, jobs=waiting, fly=reading, pools=(pool(max_machines=2),))) == 1


def test_a_machine_past_its_lifetime_is_protected_by_no_registration():
    row = machine(1, state=MachineState.BOUND, age=TIMING.max_lifetime + 100)
    listed = runners_read(registered(runner_name(row.name, 2), busy=True, first_seen_at=LONG_AGO))
    assert [
        each.machine for each in swept(Destroy, machines=(row,), fly=machines_read(seen(row)), github=listed)
    ] == [row.name]


def test_a_registration_of_our_form_without_a_runner_is_swept_after_two_agreeing_readings():
    name = runner_name(STRANGER.name, 1)
    assert swept(SweepRegistration, github=runners_read(registered(name, first_seen_at=JUST_NOW))) == []
    (action,) = swept(SweepRegistration, github=runners_read(registered(name, first_seen_at=LONG_AGO)))
    assert (action.name, action.why.reason) == (name, Reason.REGISTRATION_WITHOUT_RUNNER)


def test_a_busy_or_foreign_registration_is_never_swept():
    ours = runner_name(STRANGER.name, 1)
    for shown in (
        registered(ours, busy=True, first_seen_at=LONG_AGO),
        registered("somebody-elses-runner", first_seen_at=LONG_AGO),
        registered(f"{FLEET}-laptop", first_seen_at=LONG_AGO),
        registered("other-web-abcdefghij-1", first_seen_at=LONG_AGO),
    ):
        assert swept(SweepRegistration, github=runners_read(shown)) == []


def test_nothing_is_swept_when_a_list_could_not_be_read():
    assert plan(snapshot()).actions == ()


def test_a_destroy_without_effect_is_sent_again():
    row = machine(state=MachineState.READY, destroy_sent_at=NOW - TIMING.destroy_again - 1)
    assert [action.machine for action in swept(Destroy, machines=(row,))] == [row.name]
    young = machine(state=MachineState.READY, destroy_sent_at=NOW - 1)
    assert swept(Destroy, machines=(young,)) == []


def test_a_machine_whose_process_ended_and_that_fly_keeps_stopped_is_destroyed():
    row = machine(state=MachineState.BOUND, age=100.0)
    live = runner(row, RunnerState.RETIRING, claimed_at=NOW - 90, finished_at=NOW - 5)
    reading = machines_read(seen(row, "stopped"))
    (action,) = swept(Destroy, machines=(row,), runners=(live,), fly=reading)
    assert action.why.reason is Reason.ROW_WITHOUT_EITHER
