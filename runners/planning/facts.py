"""What the readings tell about our rows: pure moves that observe records before the plan is made.

A fact never ends anything; it only writes down what Fly and GitHub say has happened. Each rule is one
function over one row, tried in the order of ``learn``.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from runners.model.exits import exit_reason
from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.snapshot import MachineReading, SeenMachine, SeenRunner, Snapshot
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.tally import has_unnamed_job, is_forced


@dataclass(frozen=True, slots=True)
class MachineAdopted:
    """Fly's id of a Machine of ours became known by its name."""

    name: str
    fly_id: str


@dataclass(frozen=True, slots=True)
class MachineMoved:
    """A Machine's row moves; with ``exit_code`` and ``exit_reason`` when it has ended."""

    name: str
    to: MachineState
    why: Why
    exit_code: int | None = None


@dataclass(frozen=True, slots=True)
class BootStarted:
    """Fly says this boot has started."""

    name: str
    seq: int
    at: float


@dataclass(frozen=True, slots=True)
class RunnerKnown:
    """GitHub's id of a registration became known by its name (token mode, or a lost mint's answer)."""

    name: str
    github_id: int


@dataclass(frozen=True, slots=True)
class RunnerMoved:
    """A Runner's row moves."""

    name: str
    to: RunnerState
    why: Why


@dataclass(frozen=True, slots=True)
class JobLost:
    """A job's Machine ended while it ran; GitHub will report the failure minutes from now."""

    job_id: int
    why: Why


Fact = MachineAdopted | MachineMoved | BootStarted | RunnerKnown | RunnerMoved | JobLost


def learn(snapshot: Snapshot) -> tuple[Fact, ...]:
    """Everything the readings say that the rows do not yet know."""
    machines = {machine.name: machine for machine in snapshot.machines}
    facts: list[Fact] = []
    for machine in snapshot.machines:
        reading = snapshot.fly.get(machine.app)
        if reading is not None:
            facts.extend(_of_machine(snapshot, machine, reading))
    ended = {
        fact.name: fact for fact in facts if isinstance(fact, MachineMoved) and fact.to is MachineState.GONE
    }
    for runner in snapshot.runners:
        machine_row = machines.get(runner.machine_name)
        facts.extend(_of_runner(snapshot, runner, machine_row, ended.get(runner.machine_name)))
    return tuple(facts)


def _of_machine(snapshot: Snapshot, machine: Machine, reading: MachineReading) -> Iterator[Fact]:
    end = reading.ended.get(machine.name)
    if end is not None:
        reason = exit_reason(end.exit_code, oom=end.oom)
        code = "" if end.exit_code is None else f" with exit code {end.exit_code}"
        yield MachineMoved(
            machine.name, MachineState.GONE, Why(reason, f"Fly says it ended{code}"), end.exit_code
        )
        return
    seen = reading.machines.get(machine.name)
    if seen is not None:
        yield from _of_seen_machine(snapshot, machine, seen)
    elif machine.fly_id is None and _never_was(snapshot, machine, reading):
        why = Why(Reason.LAUNCH_LOST, "the create's answer was lost and no reading shows the Machine")
        yield MachineMoved(machine.name, MachineState.GONE, why)


def _of_seen_machine(snapshot: Snapshot, machine: Machine, seen: SeenMachine) -> Iterator[Fact]:
    if machine.fly_id is None:
        yield MachineAdopted(machine.name, seen.fly_id)
    if machine.state is MachineState.CREATING:
        to = MachineState.STOPPED if machine.boot is None else MachineState.STARTING
        yield MachineMoved(machine.name, to, Why(Reason.OBSERVED, f"the Machine list shows it {seen.state}"))
    boot = machine.boot
    if boot is not None and boot.started_at is None and seen.state == "started":
        yield BootStarted(machine.name, boot.seq, snapshot.now)


def _never_was(snapshot: Snapshot, machine: Machine, reading: MachineReading) -> bool:
    """Absent in two readings far enough apart, both asked after the create had time to show."""
    since = reading.absent_since.get(machine.name)
    if since is None:
        return False
    first = max(since, machine.requested_at + snapshot.timing.launch_deadline)
    return reading.at - first >= snapshot.timing.absence_confirm


def _of_runner(
    snapshot: Snapshot, runner: Runner, machine: Machine | None, ended: MachineMoved | None
) -> Iterator[Fact]:
    reading = snapshot.github.get(runner.scope)
    seen = None if reading is None else reading.runners.get(runner.name)
    if seen is not None and runner.github_id is None:
        yield RunnerKnown(runner.name, seen.github_id)
    if runner.state is RunnerState.RETIRING:
        if _is_gone(snapshot, runner, machine_gone=machine is None):
            yield RunnerMoved(runner.name, RunnerState.GONE, Why(runner.reason or Reason.OBSERVED))
        return
    if machine is None or ended is not None:
        yield from _lost_its_machine(snapshot, runner, ended)
        return
    yield from _progress(runner, machine, seen)


def _lost_its_machine(snapshot: Snapshot, runner: Runner, ended: MachineMoved | None) -> Iterator[Fact]:
    """Its Machine is gone: a clean exit means the job is done, anything else under a running job loses it."""
    reason = Reason.MACHINE_GONE if ended is None else ended.why.reason
    if runner.state is RunnerState.BUSY and reason is not Reason.JOB_COMPLETED:
        detail = f"Machine {runner.machine_name} ended while the job ran ({reason})"
        cause = Reason.OPERATOR_FORCED if is_forced(runner) else Reason.MACHINE_LOST
        for job in snapshot.jobs:
            if job.id == runner.job_id and job.state is JobState.IN_PROGRESS and job.lost is None:
                yield JobLost(job.id, Why(cause, detail))
        yield RunnerMoved(runner.name, RunnerState.RETIRING, Why(cause, detail))
        return
    yield RunnerMoved(
        runner.name, RunnerState.RETIRING, Why(reason, f"Machine {runner.machine_name} has ended")
    )


def _progress(runner: Runner, machine: Machine, seen: SeenRunner | None) -> Iterator[Fact]:
    if runner.claimed_at is not None:
        if seen is not None and seen.busy and runner.state in (RunnerState.CLAIMED, RunnerState.IDLE):
            yield RunnerMoved(
                runner.name, RunnerState.BUSY, Why(Reason.OBSERVED, "the runner list shows it busy")
            )
        elif seen is not None and seen.online and runner.state is RunnerState.CLAIMED:
            yield RunnerMoved(
                runner.name, RunnerState.IDLE, Why(Reason.OBSERVED, "the runner list shows it online")
            )
        return
    started = machine.boot is not None and machine.boot.started_at is not None
    if started and runner.state in (RunnerState.REQUESTED, RunnerState.LAUNCHING):
        yield RunnerMoved(
            runner.name, RunnerState.BOOTING, Why(Reason.OBSERVED, "Fly says the Machine started")
        )
    elif runner.state is RunnerState.REQUESTED and machine.fly_id is not None:
        yield RunnerMoved(runner.name, RunnerState.LAUNCHING, Why(Reason.OBSERVED, "Fly has the Machine"))


def _is_gone(snapshot: Snapshot, runner: Runner, *, machine_gone: bool) -> bool:
    """No registration is left at GitHub, and its Machine is gone or never had the registration.

    One that ran a job nobody has named yet is remembered a little longer: it answers for that job.
    """
    if (runner.claimed_at is not None and not machine_gone) or has_unnamed_job(snapshot, runner):
        return False
    if not may_be_registered(runner):
        return True
    reading = snapshot.github.get(runner.scope)
    ended_at = max(runner.finished_at or 0.0, runner.retiring_at or 0.0)
    listed_without = reading is not None and reading.at > ended_at and runner.name not in reading.runners
    return runner.finished_at is not None and listed_without


def mint_is_out(runner: Runner, snapshot: Snapshot) -> bool:
    """Whether a mint's answer may still come: a DELETE before it would find nothing and leave a ghost."""
    if runner.mint_sent_at is None or runner.minted_at is not None or runner.reason is Reason.MINT_LOST:
        return False
    return snapshot.now - runner.mint_sent_at <= snapshot.timing.launch_deadline


def may_be_registered(runner: Runner) -> bool:
    """Whether GitHub may hold a record of it: minted by jit, or given a token, and not known absent."""
    if runner.deregistered_at is not None:
        return False
    return runner.mint_sent_at is not None if runner.registration == "jit" else runner.claimed_at is not None
