"""RunnerView: one registration with its Machine, and the history of both."""

from runners.wire.answer import Answer
from runners.wire.event import EventView
from runners.wire.job import PhaseView
from runners.wire.text import Untrusted
from runners.wire.times import Time


class MachineView(Answer):
    """Our row for one Fly Machine.

    Attributes:
        name: chosen by us, never reused.
        fly_id: Fly's id; null until known.
        reason: why it is in its state, when there is more to say than the state.
    """

    name: str
    fly_id: str | None
    app: str
    region: str
    machine_class: str
    image: str
    state: str
    requested_at: Time
    gone_at: Time | None
    reason: str | None


class BootView(Answer):
    """One start of a Machine.

    Attributes:
        exit_reason: what its exit code, or its fate, means.
    """

    seq: int
    launched_at: Time
    started_at: Time | None
    ready_at: Time | None
    ended_at: Time | None
    exit_code: int | None
    exit_reason: str | None


class RunnerView(Answer):
    """One registration, for at most one job.

    Attributes:
        state_at: since when it is in its state.
        reason: why it is in its state.
        job_id: the job it was seen to run.
        phase: the last step of its way that it reached.
    """

    name: str
    pool: str
    scope: str
    registration: str
    machine_name: str
    boot_seq: int
    state: str
    state_at: Time
    requested_at: Time
    phase: str
    job_id: int | None
    reason: str | None


class RunnerHistory(Answer):
    """One runner's whole life.

    Attributes:
        phases: its way, step by step.
        machine: null when its row has been removed by retention.
        boot: the start of the Machine it is bound to.
        exit_reason: how its Machine's main process ended, or null while it lives.
        events: its own and its Machine's, oldest first.
        last_lines: what its Machine said last before a bad end, oldest first; its disk is gone.
    """

    revision: int
    as_of: Time
    runner: RunnerView
    phases: tuple[PhaseView, ...]
    machine: MachineView | None
    boot: BootView | None
    exit_reason: str | None
    events: tuple[EventView, ...]
    last_lines: tuple[Untrusted, ...] = ()


class RunnerPage(Answer):
    """Some runners, the latest requested first.

    Attributes:
        next_cursor: as for JobPage; any runner's name is a cursor.
        total: how many runners all pages together have; null for a reader limited to repositories.
    """

    revision: int
    as_of: Time
    runners: tuple[RunnerView, ...]
    next_cursor: str | None = None
    total: int | None = None
