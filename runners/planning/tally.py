"""Demand and supply of one pool, counted from the Snapshot: what every step agrees on.

Demand is a count, never a job→Machine binding: GitHub gives a job to whichever matching runner asks first.
"""

from dataclasses import dataclass

from runners.model.nouns import Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.snapshot import Pool, Snapshot
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.spares import stale

SUPPLY_STATES = (
    RunnerState.REQUESTED,
    RunnerState.LAUNCHING,
    RunnerState.BOOTING,
    RunnerState.CLAIMED,
    RunnerState.IDLE,
)
UNCLAIMED_STATES = SUPPLY_STATES[:3]


@dataclass(frozen=True, slots=True)
class Tally:
    """One pool's books.

    Attributes:
        demand: queued jobs that supply may be made for now, in the order they should be served.
        deferred: queued jobs that are backed off.
        supply: Runners that can still take a job, the furthest along first.
        unnamed: Runners that have just taken a job GitHub has not named yet; see ``has_unnamed_job``.
        doubtful: Runners whose Machine's create was lost and which no reading shows; they count against caps.
        ready_spares: Machines booting or ready without a Runner, the furthest along first, then stale last.
        stopped_spares: stopped spares, stale ones last, then oldest first.
        machines: all its Machines.
    """

    pool: Pool
    demand: tuple[Job, ...]
    deferred: tuple[Job, ...]
    supply: tuple[Runner, ...]
    unnamed: tuple[Runner, ...]
    doubtful: tuple[Runner, ...]
    ready_spares: tuple[Machine, ...]
    stopped_spares: tuple[Machine, ...]
    machines: tuple[Machine, ...]

    @property
    def missing(self) -> tuple[Job, ...]:
        """The jobs for which no supply is on its way."""
        return self.demand[len(self.supply) + len(self.unnamed) :]

    @property
    def surplus(self) -> int:
        """How many Runners more than jobs."""
        return max(0, len(self.supply) - len(self.demand))


def tally(snapshot: Snapshot, pool: Pool) -> Tally:
    """Count one pool."""
    queued = [job for job in snapshot.jobs if job.pool == pool.name and job.state is JobState.QUEUED]
    queued.sort(key=lambda job: (not job.merge_queue, job.queued_at or job.accepted_at, job.id))
    runners = [runner for runner in snapshot.runners if runner.pool == pool.name]
    machines = tuple(machine for machine in snapshot.machines if machine.pool == pool.name)
    by_name = {machine.name: machine for machine in machines}
    live = [runner for runner in runners if runner.state in SUPPLY_STATES]
    doubtful = tuple(runner for runner in live if is_doubtful(snapshot, by_name.get(runner.machine_name)))
    supply = [runner for runner in live if runner not in doubtful]
    supply.sort(key=lambda runner: (-SUPPLY_STATES.index(runner.state), runner.requested_at, runner.name))
    taken = {runner.machine_name for runner in runners if holds_machine(runner)}
    ready = [
        machine
        for machine in machines
        if machine.name not in taken
        and machine.destroy_sent_at is None
        and machine.state in (MachineState.CREATING, MachineState.STARTING, MachineState.READY)
        and machine.boot is not None
        and not is_doubtful(snapshot, machine)
    ]
    ready.sort(
        key=lambda machine: (
            machine.state is not MachineState.READY,
            stale(snapshot, pool, machine) is not None,
            machine.requested_at,
            machine.name,
        )
    )
    stopped = [
        machine
        for machine in machines
        if machine.state is MachineState.STOPPED
        and machine.name not in taken
        and machine.destroy_sent_at is None
    ]
    stopped.sort(
        key=lambda machine: (
            stale(snapshot, pool, machine) is not None,
            machine.requested_at,
            machine.name,
        )
    )
    return Tally(
        pool=pool,
        demand=tuple(job for job in queued if job.not_before <= snapshot.now),
        deferred=tuple(job for job in queued if job.not_before > snapshot.now),
        supply=tuple(supply),
        unnamed=tuple(runner for runner in runners if has_unnamed_job(snapshot, runner)),
        doubtful=doubtful,
        ready_spares=tuple(ready),
        stopped_spares=tuple(stopped),
        machines=machines,
    )


def has_unnamed_job(snapshot: Snapshot, runner: Runner) -> bool:
    """Whether it has taken a job that no fact has named yet: most likely one that still counts as queued.

    The started hook and the runner list come before the webhook (median 2 s, P95 over 140 s), and a short job
    may end before it. Without this, each such job would get a second Runner when its first one took it. The
    next queue sweep tells which job it was; one unknown for longer is somebody else's.
    """
    taken = runner.state is RunnerState.BUSY or (
        runner.state is RunnerState.RETIRING and runner.finished_at is not None
    )
    if not taken or runner.busy_at is None or runner.job_id is not None:
        return False
    if snapshot.now - runner.busy_at > snapshot.timing.queue_sweep_period:
        return False
    return not any(
        job.runner_name == runner.name and job.state is JobState.IN_PROGRESS for job in snapshot.jobs
    )


def holds_machine(runner: Runner) -> bool:
    """Whether no other Runner may be bound to its Machine: it lives, or it has received its registration."""
    return runner.claimed_at is not None or runner.state not in (RunnerState.RETIRING, RunnerState.GONE)


def is_forced(runner: Runner) -> bool:
    """Whether an operator wants it ended whatever it runs: the one word that a job does not veto."""
    return runner.end_asked is Reason.OPERATOR_FORCED


def is_doubtful(snapshot: Snapshot, machine: Machine | None) -> bool:
    """Whether a create's answer was lost and the app's list, read since, does not show the Machine."""
    if machine is None or machine.state is not MachineState.CREATING or machine.fly_id is not None:
        return False
    if snapshot.now - machine.requested_at < snapshot.timing.launch_deadline:
        return False
    reading = snapshot.fly.get(machine.app)
    return reading is not None and machine.name in reading.absent_since
