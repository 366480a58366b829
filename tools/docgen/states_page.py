"""The states of docs/architecture.md, from the tables that the store enforces."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from docgen.blocks import code, table
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
    StateNote,
)

S = TypeVar("S", MachineState, RunnerState)
JOB_TEXT = (
    "GitHub's own `workflow_job.status`. A webhook moves a Job forward only; a REST reading may move it "
    "back, with an event."
)
PHASE_TEXT = "One job's way; a phase lasts from the one before it that was reached:"
HEAD = ("State", "Means", "Moved on by", "Deadline", "Past it, the planner", "May become")


def states_tables() -> str:
    """Machine, Runner and Job, and the phases of one job's way."""
    return "\n\n".join(
        (
            "### Machine",
            _noted(MACHINE_NOTES, MACHINE_MOVES),
            "### Runner",
            _noted(RUNNER_NOTES, RUNNER_MOVES),
            "### Job",
            JOB_TEXT,
            table(
                ("State", "May become by a webhook"),
                [(code(s), _moves(JobState, JOB_MOVES[s])) for s in JobState],
            ),
            "### Phases",
            f"{PHASE_TEXT} {' → '.join(code(phase) for phase in PHASES)}",
        )
    )


def _noted(notes: Mapping[S, StateNote], moves: Mapping[S, frozenset[S]]) -> str:
    rows = [
        (
            code(state),
            note.meaning,
            note.moved_by,
            code(note.deadline),
            note.past_deadline,
            _moves(type(state), moves[state]),
        )
        for state, note in notes.items()
    ]
    return table(HEAD, rows)


def _moves(kind: type[StrEnum], to: frozenset[StrEnum]) -> str:
    """The states it may become, in the order in which they are defined."""
    return ", ".join(code(state) for state in kind if state in to) or "nothing"
