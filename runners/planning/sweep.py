"""Step 2, sweep: what lost its partner.

A Fly Machine of ours without a row, a registration of ours without a Runner, a row that neither side backs, a
volume of ours that no Machine has.
Nothing is swept on one reading: two readings ``absence_confirm`` apart must agree, and a list that could not
be read sweeps nothing.
"""

from collections.abc import Iterator

from runners.model.nouns import Machine
from runners.model.reason import Reason, Why
from runners.model.snapshot import MachineReading, RunnerReading, Snapshot
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.names import ID_LENGTH, is_fleet_name, is_runner_of, machine_name, machine_of
from runners.planning.plan import Action, Destroy, Retire, SweepMachine, SweepRegistration
from runners.planning.sweep_volumes import volumes_without_machine
from runners.planning.tally import holds_machine, is_forced

_ENDED_STATES = frozenset({"stopped", "failed"})


def sweep(snapshot: Snapshot) -> tuple[Action, ...]:
    """What exists on one side only."""
    actions: list[Action] = []
    for app, machine_reading in sorted(snapshot.fly.items()):
        if machine_reading is not None:
            actions.extend(_machines_without_row(snapshot, app, machine_reading))
    for scope, runner_reading in sorted(snapshot.github.items()):
        if runner_reading is not None:
            actions.extend(_registrations_without_runner(snapshot, scope, runner_reading))
    actions.extend(volumes_without_machine(snapshot))
    actions.extend(_rows_without_either(snapshot))
    actions.extend(_rows_without_pool(snapshot))
    return tuple(actions)


def working(snapshot: Snapshot) -> frozenset[str]:
    """Machines that run a job, by their Runner or by a job that names it: max_lifetime alone ends them.

    A job that was lost has no Machine, and one older than max_lifetime protects none; nor does a Runner that
    an operator ends by force. A registration that no Runner of ours has speaks for its Machine, too: after an
    older database was restored it is all that is known of a job. The sweep has GitHub remove it first, which
    GitHub refuses while it is busy.
    """
    oldest = snapshot.now - snapshot.timing.max_lifetime
    forced = {runner.name for runner in snapshot.runners if is_forced(runner)}
    by_runner = {
        runner.machine_name
        for runner in snapshot.runners
        if runner.state is RunnerState.BUSY
        and not is_forced(runner)
        and (runner.claimed_at or runner.requested_at) >= oldest
    }
    by_job = {
        machine_of(job.runner_name)
        for job in snapshot.jobs
        if job.state is JobState.IN_PROGRESS
        and job.lost is None
        and job.runner_name is not None
        and job.runner_name not in forced
        and is_fleet_name(job.runner_name)
        and (job.in_progress_at or job.accepted_at) >= oldest
    }
    return frozenset(by_runner | by_job | _unknown_registrations(snapshot, oldest))


def _unknown_registrations(snapshot: Snapshot, oldest: float) -> set[str]:
    """The Machines of registrations that GitHub lists and no Runner has, but for rows past max_lifetime."""
    known = {runner.name for runner in snapshot.runners}
    too_old = {machine.name for machine in snapshot.machines if machine.requested_at < oldest}
    listed = {name for reading in snapshot.github.values() if reading is not None for name in reading.runners}
    return {machine_of(name) for name in listed - known if is_fleet_name(name)} - too_old


def has_ended(snapshot: Snapshot, name: str) -> bool:
    """Whether Fly shows this Machine of ours as one whose main process has ended."""
    row = next((machine for machine in snapshot.machines if machine.name == name), None)
    return row is not None and _ended_state(snapshot, row) is not None


def _machines_without_row(snapshot: Snapshot, app: str, reading: MachineReading) -> Iterator[Action]:
    rows = {machine.name for machine in snapshot.machines}
    running = working(snapshot)
    for seen in reading.machines.values():
        # An unreachable host may hide the owner tag, and a running job vetoes every kill.
        if not (seen.ours and seen.host_ok) or seen.name in rows or seen.name in running:
            continue
        again = snapshot.timing.destroy_again
        confirmed = _confirmed(snapshot, reading.at, seen.first_seen_at)
        if (
            confirmed
            and not _swept(snapshot, seen.name, again)
            and _github_heard(snapshot, _scopes_of_name(snapshot, seen.name), seen.first_seen_at)
        ):
            why = Why(
                Reason.MACHINE_WITHOUT_ROW, f"Machine {seen.fly_id} carries our owner tag but has no row"
            )
            yield SweepMachine(app, seen.fly_id, seen.name, why)


def _registrations_without_runner(snapshot: Snapshot, scope: str, reading: RunnerReading) -> Iterator[Action]:
    rows = {runner.name for runner in snapshot.runners}
    pools = [pool.name for pool in snapshot.pools]
    for seen in reading.runners.values():
        if not is_runner_of(snapshot.fleet_name, pools, seen.name) or seen.busy or seen.name in rows:
            continue
        again = snapshot.timing.delete_again
        if _confirmed(snapshot, reading.at, seen.first_seen_at) and not _swept(snapshot, seen.name, again):
            why = Why(Reason.REGISTRATION_WITHOUT_RUNNER, f"registration {seen.github_id} has no Runner")
            yield SweepRegistration(scope, seen.github_id, seen.name, why)


def _rows_without_either(snapshot: Snapshot) -> Iterator[Action]:
    """Machines that ended without being destroyed, whose destroy was lost, or that no live Runner needs."""
    held = {runner.machine_name for runner in snapshot.runners if holds_machine(runner)}
    for machine in snapshot.machines:
        why = _row_overdue(snapshot, machine, held)
        if (
            why is not None
            and snapshot.now - (machine.destroy_sent_at or 0.0) > snapshot.timing.destroy_again
        ):
            yield Destroy(machine.name, why)


def _row_overdue(snapshot: Snapshot, machine: Machine, held: set[str]) -> Why | None:
    if machine.destroy_sent_at is not None:
        return Why(machine.reason or Reason.SURPLUS, "its destroy has not shown effect")
    if (
        machine.state is MachineState.BOUND
        and machine.name not in held
        and _github_heard(snapshot, _scopes_of_pool(snapshot, machine.pool), machine.state_at)
    ):
        return Why(Reason.ROW_WITHOUT_EITHER, "it received a registration and no Runner of it is left")
    ended = _ended_state(snapshot, machine)
    if ended is not None:
        return Why(Reason.ROW_WITHOUT_EITHER, f"its main process ended and Fly keeps it {ended}")
    return None


def _ended_state(snapshot: Snapshot, machine: Machine) -> str | None:
    """Fly's word for a Machine that ran and no longer does.

    The list must have been asked for well after the boot: an earlier one shows a started spare as stopped.
    """
    reading = snapshot.fly.get(machine.app)
    seen = None if reading is None else reading.machines.get(machine.name)
    boot = machine.boot
    if reading is None or seen is None or boot is None or machine.state is MachineState.STOPPED:
        return None
    ran_at = max(boot.started_at or 0.0, boot.ready_at or 0.0)
    ended = seen.host_ok and seen.state in _ENDED_STATES and ran_at > 0.0
    return seen.state if ended and _confirmed(snapshot, reading.at, ran_at) else None


def _rows_without_pool(snapshot: Snapshot) -> Iterator[Action]:
    """Rows of a pool that is no longer configured take no more work."""
    pools = {pool.name for pool in snapshot.pools}
    why = Why(Reason.POOL_DRAINED, "its pool is no longer in fleet.toml")
    held = {runner.machine_name for runner in snapshot.runners if holds_machine(runner)}
    for runner in snapshot.runners:
        if runner.pool not in pools and runner.state not in (RunnerState.BUSY, RunnerState.RETIRING):
            yield Retire(runner.name, why)
    for machine in snapshot.machines:
        if machine.pool not in pools and machine.name not in held and machine.destroy_sent_at is None:
            yield Destroy(machine.name, why)


def _github_heard(snapshot: Snapshot, scopes: set[str], since: float) -> bool:
    """Whether lists asked for well after ``since`` would have shown a registration that nobody here knows.

    Without them it is unknown whether the Machine runs a job, and unknown is not idle.
    """
    readings = [snapshot.github.get(scope) for scope in scopes]
    return all(reading is not None and _confirmed(snapshot, reading.at, since) for reading in readings)


def _scopes_of_name(snapshot: Snapshot, name: str) -> set[str]:
    """Where a Machine of this name would register: its pool's scope, or any when no pool gives such names."""
    stem = name[:-ID_LENGTH]
    own = {
        pool.settings.scope
        for pool in snapshot.pools
        if machine_name(snapshot.fleet_name, pool.name, "") == stem
    }
    return own or set(snapshot.github)


def _scopes_of_pool(snapshot: Snapshot, name: str) -> set[str]:
    own = {pool.settings.scope for pool in snapshot.pools if pool.name == name}
    return own or set(snapshot.github)


def _swept(snapshot: Snapshot, name: str, again: float) -> bool:
    """Whether it was ended just now: it stays in the reading until the next list."""
    return snapshot.now - snapshot.swept.get(name, 0.0) <= again


def _confirmed(snapshot: Snapshot, read_at: float, first_seen_at: float) -> bool:
    return read_at - first_seen_at >= snapshot.timing.absence_confirm
