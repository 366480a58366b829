"""What the readings prove is written down, and what they do not prove is not."""

from runners.model.reason import Reason
from runners.model.snapshot import End
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.facts import (
    BootStarted,
    JobLost,
    MachineAdopted,
    MachineMoved,
    RunnerKnown,
    RunnerMoved,
    learn,
)
from tests.planning.builders import (
    NOW,
    TIMING,
    job,
    machine,
    machines_read,
    registered,
    runner,
    runners_read,
    seen,
    snapshot,
)


def facts(kind, **fields):
    return [fact for fact in learn(snapshot(**fields)) if isinstance(fact, kind)]


def test_a_machine_whose_create_was_never_answered_is_found_by_its_name():
    row = machine(state=MachineState.CREATING, fly_id=None)
    reading = machines_read(seen(row))
    (adopted,) = facts(MachineAdopted, machines=(row,), fly=reading)
    (moved,) = facts(MachineMoved, machines=(row,), fly=reading)
    assert (adopted.name, moved.to) == (row.name, MachineState.STARTING)


def test_a_created_spare_that_the_list_shows_is_stopped():
    row = machine(state=MachineState.CREATING, boot=None)
    (moved,) = facts(MachineMoved, machines=(row,), fly=machines_read(seen(row, "stopped")))
    assert moved.to is MachineState.STOPPED


def test_a_create_that_no_reading_shows_is_lost_only_after_two_that_agree():
    row = machine(state=MachineState.CREATING, fly_id=None, age=200.0)
    once = machines_read(absent_since={row.name: NOW - 5})
    twice = machines_read(absent_since={row.name: NOW - 1 - TIMING.absence_confirm})
    assert facts(MachineMoved, machines=(row,), fly=once) == []
    (moved,) = facts(MachineMoved, machines=(row,), fly=twice)
    assert (moved.to, moved.why.reason) == (MachineState.GONE, Reason.LAUNCH_LOST)


def test_a_machine_with_an_id_is_gone_only_when_fly_says_it_ended():
    row = machine(state=MachineState.BOUND, age=900.0)
    absent = machines_read(absent_since={row.name: NOW - 900})
    assert facts(MachineMoved, machines=(row,), fly=absent) == []
    ended = machines_read(ended={row.name: End(NOW, 137, oom=True)})
    (moved,) = facts(MachineMoved, machines=(row,), fly=ended)
    assert (moved.to, moved.why.reason, moved.exit_code) == (MachineState.GONE, Reason.OUT_OF_MEMORY, 137)


def test_a_started_machine_is_noted_once():
    row = machine()
    assert len(facts(BootStarted, machines=(row,), fly=machines_read(seen(row)))) == 1


def test_a_job_whose_machine_died_is_lost_with_a_reason_and_a_clean_exit_loses_none():
    row = machine(state=MachineState.BOUND)
    busy = runner(row, RunnerState.BUSY, job_id=1)
    fields = {"machines": (row,), "runners": (busy,), "jobs": (job(1, JobState.IN_PROGRESS),)}
    (lost,) = facts(JobLost, fly=machines_read(ended={row.name: End(NOW, 137)}), **fields)
    assert (lost.job_id, lost.why.reason) == (1, Reason.MACHINE_LOST)
    assert facts(JobLost, fly=machines_read(ended={row.name: End(NOW, 0)}), **fields) == []


def test_the_runner_list_makes_a_claimed_runner_idle_or_busy_and_tells_its_id():
    row = machine(state=MachineState.BOUND)
    claimed = runner(row, RunnerState.CLAIMED, github_id=None)
    for busy, state in ((False, RunnerState.IDLE), (True, RunnerState.BUSY)):
        reading = runners_read(registered(claimed, busy=busy))
        fields = {"machines": (row,), "runners": (claimed,), "github": reading}
        assert [fact.to for fact in facts(RunnerMoved, **fields)] == [state]
        assert [fact.github_id for fact in facts(RunnerKnown, **fields)] == [1001]


def test_a_stale_busy_flag_does_not_wake_a_finished_runner():
    row = machine(state=MachineState.BOUND)
    done = runner(row, RunnerState.RETIRING, claimed_at=NOW - 20, finished_at=NOW - 5)
    reading = runners_read(registered(done, busy=True))
    assert facts(RunnerMoved, machines=(row,), runners=(done,), github=reading) == []


def test_a_finished_runner_is_gone_when_its_machine_is_and_github_no_longer_lists_it():
    row = machine(state=MachineState.BOUND)
    done = runner(row, RunnerState.RETIRING, claimed_at=NOW - 20, finished_at=NOW - 5, retiring_at=NOW - 5)
    listed, unlisted = runners_read(registered(done)), runners_read()
    assert facts(RunnerMoved, runners=(done,), github=listed) == []
    assert facts(RunnerMoved, machines=(row,), runners=(done,), github=unlisted) == []
    assert [fact.to for fact in facts(RunnerMoved, runners=(done,), github=unlisted)] == [RunnerState.GONE]
