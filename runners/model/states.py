"""The states of a Job, a Machine and a Runner, and the moves between them, as data.

The store enforces the tables by compare-and-set and writes an event with each move; nothing else changes a
state. A state says what it means, who moves it on, which ``[timing]`` setting is its deadline, and what the
planner does when the deadline passes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class JobState(StrEnum):
    """GitHub's ``workflow_job.status``, in the order in which webhooks may move it."""

    WAITING = "waiting"
    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    COMPLETED = "completed"

    @property
    def rank(self) -> int:
        """Position in the order waiting < queued < in_progress < completed."""
        return list(JobState).index(self)


class MachineState(StrEnum):
    """Our intent for, and knowledge of, one Fly Machine."""

    CREATING = "creating"
    STOPPED = "stopped"
    STARTING = "starting"
    READY = "ready"
    BOUND = "bound"
    GONE = "gone"


class RunnerState(StrEnum):
    """One registration's way from intent to absence."""

    REQUESTED = "requested"
    LAUNCHING = "launching"
    BOOTING = "booting"
    CLAIMED = "claimed"
    IDLE = "idle"
    BUSY = "busy"
    RETIRING = "retiring"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class StateNote:
    """What one state means.

    Attributes:
        meaning: what is true while a row is in this state.
        moved_by: who moves it on.
        deadline: name of the ``[timing]`` setting after which the planner acts, or "" for none.
        past_deadline: what the planner does then.
        phase: the phase histogram that ends when the state is entered, or "" for none.
    """

    meaning: str
    moved_by: str
    deadline: str = ""
    past_deadline: str = ""
    phase: str = ""


MACHINE_NOTES: Mapping[MachineState, StateNote] = {
    MachineState.CREATING: StateNote(
        "The intent is committed; the create call is out, or its answer was lost.",
        "the create's answer, the claim, or the Machine list, which finds it by name",
        "launch_deadline",
        "looks it up by name; absent in two agreeing readings means it never was",
    ),
    MachineState.STOPPED: StateNote(
        "A stopped spare: created with skip_launch, never claimed.",
        "the planner, when a job needs it",
        "spare_max_age",
        "replaces it",
    ),
    MachineState.STARTING: StateNote(
        "Fly accepted the launch; the boot agent has not called yet.",
        "the first claim call",
        "boot_deadline",
        "retires its Runner and destroys it",
        "started",
    ),
    MachineState.READY: StateNote(
        "Booted, waiting in the claim poll without a registration.",
        "the claim that hands out a registration",
        "spare_max_age",
        "replaces it",
    ),
    MachineState.BOUND: StateNote(
        "It received a registration. It is never started again.",
        "its own exit, seen in the Machine list",
        "max_lifetime",
        "destroys it, the one kill that even a busy runner does not veto",
        "claimed",
    ),
    MachineState.GONE: StateNote("Fly says destroyed or 404.", "nobody: it is history", phase="gone"),
}

RUNNER_NOTES: Mapping[RunnerState, StateNote] = {
    RunnerState.REQUESTED: StateNote(
        "The intent, its names and the budget it spends are committed.",
        "the launch's answer",
        "launch_deadline",
        "looks the Machine up by name",
        "requested",
    ),
    RunnerState.LAUNCHING: StateNote(
        "Fly accepted the launch.",
        "the Machine list (started) or the claim",
        "boot_deadline",
        "retires it: never started",
    ),
    RunnerState.BOOTING: StateNote(
        "Fly says started; the boot agent has not taken the registration.",
        "the claim",
        "boot_deadline",
        "retires it: never claimed",
        "started",
    ),
    RunnerState.CLAIMED: StateNote(
        "The Machine has the registration; the listener is not online yet.",
        "the online hook or the runner list",
        "online_deadline",
        "retires it: never online",
        "claimed",
    ),
    RunnerState.IDLE: StateNote(
        "Online at GitHub without a job.",
        "an in_progress event, the started hook, or the runner list",
        "idle_timeout",
        "retires it: idle too long",
        "online",
    ),
    RunnerState.BUSY: StateNote(
        "It runs its one job. Only max_lifetime or an operator's force ends it from outside.",
        "the completed event, or the Machine's end",
        "max_lifetime",
        "destroys the Machine",
        "in_progress",
    ),
    RunnerState.RETIRING: StateNote(
        "Its registration is being removed and its Machine ended. A busy answer (422) moves it back to busy.",
        "Fly says destroyed and GitHub no longer lists it",
        "retire_grace",
        "stops and destroys the Machine",
        "completed",
    ),
    RunnerState.GONE: StateNote(
        "No registration and no Machine is left.", "nobody: it is history", phase="gone"
    ),
}

MACHINE_MOVES: Mapping[MachineState, frozenset[MachineState]] = {
    MachineState.CREATING: frozenset(
        {
            MachineState.STOPPED,
            MachineState.STARTING,
            MachineState.READY,
            MachineState.BOUND,
            MachineState.GONE,
        }
    ),
    MachineState.STOPPED: frozenset({MachineState.STARTING, MachineState.GONE}),
    # A start that found its host full leaves the spare stopped.
    MachineState.STARTING: frozenset(
        {MachineState.STOPPED, MachineState.READY, MachineState.BOUND, MachineState.GONE}
    ),
    MachineState.READY: frozenset({MachineState.BOUND, MachineState.GONE}),
    MachineState.BOUND: frozenset({MachineState.GONE}),
    MachineState.GONE: frozenset(),
}

_LIVE = (
    RunnerState.REQUESTED,
    RunnerState.LAUNCHING,
    RunnerState.BOOTING,
    RunnerState.CLAIMED,
    RunnerState.IDLE,
    RunnerState.BUSY,
)


def _forward(state: RunnerState) -> frozenset[RunnerState]:
    """A live Runner may skip forward (events arrive late or never), jump to busy, or be retired."""
    ahead = _LIVE[_LIVE.index(state) + 1 :]
    return frozenset({*ahead, RunnerState.BUSY, RunnerState.RETIRING} - {state})


RUNNER_MOVES: Mapping[RunnerState, frozenset[RunnerState]] = {
    **{state: _forward(state) for state in _LIVE},
    RunnerState.RETIRING: frozenset({RunnerState.BUSY, RunnerState.GONE}),
    RunnerState.GONE: frozenset(),
}

# Webhooks move a job forward only; the store lets a REST reading move it back, with an event.
JOB_MOVES: Mapping[JobState, frozenset[JobState]] = {
    state: frozenset(other for other in JobState if other.rank > state.rank) for state in JobState
}

PHASES = ("accepted", "requested", "started", "claimed", "online", "in_progress", "completed", "gone")
"""One job's way, in order; a phase's duration is the time since the one before it."""
