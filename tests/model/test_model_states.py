"""The tables of states: complete, consistent, and about settings that exist."""

import pytest

from runners.model.exits import EXIT_REASONS, exit_reason
from runners.model.reason import Reason, Why
from runners.model.states import (
    JOB_MOVES,
    MACHINE_MOVES,
    MACHINE_NOTES,
    PHASES,
    RUNNER_MOVES,
    RUNNER_NOTES,
    JobState,
    MachineState,
    RunnerState,
)
from runners.model.timing import Timing

NOTES = [*MACHINE_NOTES.items(), *RUNNER_NOTES.items()]


def test_every_state_has_a_note_and_a_row_of_moves():
    assert set(MACHINE_NOTES) == set(MACHINE_MOVES) == set(MachineState)
    assert set(RUNNER_NOTES) == set(RUNNER_MOVES) == set(RunnerState)
    assert set(JOB_MOVES) == set(JobState)


@pytest.mark.parametrize(("state", "note"), NOTES)
def test_a_state_says_what_it_means_who_moves_it_on_and_a_deadline_that_exists(state, note):
    assert note.meaning.endswith(".")
    assert note.moved_by
    assert note.deadline in {"", *Timing.model_fields}
    assert bool(note.deadline) == bool(note.past_deadline)
    assert note.phase in {"", *PHASES}


def test_gone_is_final_and_every_other_state_leads_there():
    for moves, gone in ((MACHINE_MOVES, MachineState.GONE), (RUNNER_MOVES, RunnerState.GONE)):
        assert moves[gone] == frozenset()
        for state in moves:
            reached, frontier = set(), {state}
            while frontier:
                reached |= frontier
                frontier = {after for at in frontier for after in moves[at]} - reached
            assert gone in reached


def test_any_live_runner_may_jump_to_busy_and_a_busy_answer_brings_a_retiring_one_back():
    for state in set(RunnerState) - {RunnerState.BUSY, RunnerState.GONE}:
        assert RunnerState.BUSY in RUNNER_MOVES[state]


def test_a_machine_that_received_a_registration_is_never_started_again():
    assert MACHINE_MOVES[MachineState.BOUND] == {MachineState.GONE}


def test_webhooks_only_move_a_job_forward():
    for state, ahead in JOB_MOVES.items():
        assert all(after.rank > state.rank for after in ahead)


@pytest.mark.parametrize(
    ("code", "oom", "reason"),
    [
        (0, False, Reason.JOB_COMPLETED),
        (26, False, Reason.EXIT_NEVER_ONLINE),
        (137, True, Reason.OUT_OF_MEMORY),
        (137, False, Reason.MACHINE_LOST),
        (None, False, Reason.MACHINE_GONE),
    ],
)
def test_an_exit_code_has_one_meaning(code, oom, reason):
    assert exit_reason(code, oom=oom) is reason
    assert len(set(EXIT_REASONS.values())) == len(EXIT_REASONS)


def test_a_why_reads_the_same_everywhere():
    assert str(Why(Reason.POOL_AT_MAX, "4 of 4")) == "pool_at_max: 4 of 4"
    assert str(Why(Reason.DEMAND)) == "demand"


def test_scaled_timing_divides_every_duration_alike():
    plain, scaled = Timing().model_dump(), Timing().scaled(10).model_dump()
    assert all(scaled[name] == pytest.approx(value / 10) for name, value in plain.items())
