"""The store's rows as control commits them, written a second time and naively: what ``applied`` judges with.

Follows control/apply.py, control/request.py and control/observe.py; the moves are the model's own tables.
"""

from dataclasses import dataclass, field, replace
from typing import Any

from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.snapshot import Snapshot
from runners.model.states import MACHINE_MOVES, RUNNER_MOVES, MachineState, RunnerState
from runners.planning.facts import (
    BootStarted,
    Fact,
    JobLost,
    MachineAdopted,
    MachineMoved,
    RunnerKnown,
    RunnerMoved,
)
from runners.planning.names import machine_name, runner_name
from runners.planning.plan import (
    BindSpare,
    Defer,
    Deregister,
    Destroy,
    Launch,
    Plan,
    Retire,
    StartSpare,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)


@dataclass
class Rows:
    """Tables by key, gone rows included, and the calls that the last commit asks for."""

    fleet: str
    image: str
    fingerprints: dict[str, str] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    runners: dict[str, Runner] = field(default_factory=dict)
    creates: list[tuple[str, float]] = field(default_factory=list)
    writes: list[tuple[str, float]] = field(default_factory=list)
    swept: dict[str, float] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    made: int = 0
    mark: str = "x"

    def move_machine(self, name: str, to: MachineState, now: float, reason: Reason, **fields: Any) -> bool:
        row = self.machines.get(name)
        if row is None or to not in MACHINE_MOVES[row.state]:
            return False
        if to is MachineState.GONE:
            fields["gone_at"] = now
        self.machines[name] = replace(row, state=to, state_at=now, reason=reason, **fields)
        return True

    def move_runner(self, name: str, to: RunnerState, now: float, reason: Reason, **fields: Any) -> bool:
        row = self.runners.get(name)
        if row is None or to not in RUNNER_MOVES[row.state]:
            return False
        if to is RunnerState.GONE:
            fields["gone_at"] = now
        self.runners[name] = replace(row, state=to, state_at=now, reason=reason, **fields)
        return True

    def set_runner(self, name: str, **fields: Any) -> None:
        self.runners[name] = replace(self.runners[name], **fields)

    def set_boot(self, name: str, **fields: Any) -> None:
        row = self.machines[name]
        if row.boot is not None:
            self.machines[name] = replace(row, boot=replace(row.boot, **fields))

    def live_machines(self) -> tuple[Machine, ...]:
        return tuple(row for row in self.machines.values() if row.state is not MachineState.GONE)

    def live_runners(self) -> tuple[Runner, ...]:
        return tuple(row for row in self.runners.values() if row.state is not RunnerState.GONE)

    # --- observe: facts ---

    def record(self, fact: Fact, now: float) -> None:
        match fact:
            case MachineAdopted(name, fly_id):
                row = self.machines[name]
                if row.fly_id in (None, fly_id):
                    self.machines[name] = replace(row, fly_id=fly_id)
            case BootStarted(name, _, at):
                self.set_boot(name, started_at=at)
            case MachineMoved(name, to, why, code):
                if to is MachineState.GONE:
                    self.set_boot(name, ended_at=now, exit_code=code, exit_reason=why.reason)
                self.move_machine(name, to, now, why.reason)
            case RunnerKnown(name, github_id):
                self.set_runner(name, github_id=github_id)
            case RunnerMoved(name, to, why):
                stamps = {
                    RunnerState.IDLE: "online_at",
                    RunnerState.BUSY: "busy_at",
                    RunnerState.RETIRING: "retiring_at",
                }
                fields = {stamps[to]: now} if to in stamps else {}
                if to is RunnerState.RETIRING and why.reason is Reason.JOB_COMPLETED:
                    fields["finished_at"] = now
                self.move_runner(name, to, now, why.reason, **fields)
            case JobLost(job_id, why):
                self.jobs[job_id] = replace(self.jobs[job_id], lost=why.reason)

    # --- apply: a plan ---

    def commit(self, plan: Plan, now: float, launch_deadline: float, scopes: dict[str, str]) -> None:  # noqa: C901, PLR0912 - one arm per action
        self.calls = []
        for action in plan.actions:
            match action:
                case Retire(name, why):
                    if self.move_runner(name, RunnerState.RETIRING, now, why.reason, retiring_at=now):
                        self._delete(name, now, launch_deadline)
                case Deregister(name, _):
                    self._delete(name, now, launch_deadline)
                case Destroy(name, why):
                    row = self.machines[name]
                    if row.gone_at is None:
                        self.machines[name] = replace(row, destroy_sent_at=now, reason=why.reason)
                        self.calls.append(("destroy", name))
                case Defer(job_id, until, _):
                    job = self.jobs[job_id]
                    self.jobs[job_id] = replace(job, not_before=until, deferrals=job.deferrals + 1)
                case SweepMachine(app, _, name, _):
                    self.swept[name] = now
                    self.calls.append(("sweep_machine", app, name))
                case SweepVolume(app, volume_id, _):
                    self.swept[action.swept_as] = now
                    self.calls.append(("sweep_volume", app, volume_id))
                case SweepRegistration(scope, _, name, _):
                    self.swept[name] = now
                    self.writes.append((scope.split("/")[1], now))
                    self.calls.append(("sweep_registration", name))
                case _:
                    continue
        for action in plan.actions:
            if isinstance(action, (Launch, StartSpare, BindSpare)):
                self._request(action, now, scopes)

    def _request(self, request: Launch | StartSpare | BindSpare, now: float, scopes: dict[str, str]) -> None:
        if isinstance(request, Launch):
            self.made += 1
            name = machine_name(self.fleet, request.pool, f"{self.mark}{self.made:09d}")
            machine = Machine(
                name,
                request.pool,
                request.machine_class,
                self.image,
                request.app,
                request.region,
                None,
                MachineState.CREATING,
                now,
                now,
                Boot(name, 1, now) if request.start else None,
                fingerprint=self.fingerprints.get(request.machine_class),
            )
            self.machines[name] = machine
            self.creates.append((request.app, now))
            self.calls.append(("create", name, request.start))
        else:
            name = request.machine
            machine = self.machines[name]
            if machine.state in (MachineState.BOUND, MachineState.GONE):
                return
            if isinstance(request, StartSpare):
                seq = 1 if machine.boot is None else machine.boot.seq + 1
                if not self.move_machine(name, MachineState.STARTING, now, request.why.reason):
                    return
                machine = replace(self.machines[name], boot=Boot(name, seq, now))
                self.machines[name] = machine
                self.calls.append(("start", name))
        if not request.registration or machine.boot is None:
            return
        count = sum(row.machine_name == name for row in self.runners.values()) + 1
        jit = request.registration == "jit"
        scope = scopes[request.pool]
        runner = Runner(
            runner_name(name, count),
            request.pool,
            scope,
            name,
            machine.boot.seq,
            request.registration,
            RunnerState.REQUESTED,
            now,
            now,
            request.demand_at,
            mint_sent_at=now if jit else None,
        )
        while runner.name in self.runners:  # a Snapshot has not the gone ones that were counted before
            count += 1
            runner = replace(runner, name=runner_name(name, count))
        self.runners[runner.name] = runner
        if jit:
            self.writes.append((runner.owner, now))
        self.calls.append(("mint", runner.name))

    def _delete(self, name: str, now: float, launch_deadline: float) -> None:
        row = self.runners[name]
        maybe = row.deregistered_at is None and (
            row.mint_sent_at is not None if row.registration == "jit" else row.claimed_at is not None
        )
        minting = (
            row.mint_sent_at is not None
            and row.minted_at is None
            and row.reason is not Reason.MINT_LOST
            and now - row.mint_sent_at <= launch_deadline
        )
        if row.state is RunnerState.RETIRING and maybe and not minting:
            self.set_runner(name, delete_sent_at=now)
            self.writes.append((row.owner, now))
            self.calls.append(("delete", name))


def applied(before: Snapshot, plan: Plan) -> Snapshot:
    """The Snapshot whose rows are what control commits for this plan, before any call is answered."""
    rows = Rows(before.fleet_name, before.image, dict(before.fingerprints), mark="y")
    rows.jobs = {job.id: job for job in before.jobs}
    rows.machines = {machine.name: machine for machine in before.machines}
    rows.runners = {runner.name: runner for runner in before.runners}
    rows.creates = [(app, at) for app, times in before.limits.creates.items() for at in times]
    rows.writes = [(owner, at) for owner, times in before.limits.writes.items() for at in times]
    rows.swept = dict(before.swept)
    scopes = {pool.name: pool.settings.scope for pool in before.pools}
    rows.commit(plan, before.now, before.timing.launch_deadline, scopes)
    return replace(
        before,
        jobs=tuple(rows.jobs.values()),
        machines=rows.live_machines(),
        runners=rows.live_runners(),
        limits=replace(before.limits, creates=by_key(rows.creates), writes=by_key(rows.writes)),
        swept=rows.swept,
    )


def by_key(times: list[tuple[str, float]]) -> dict[str, tuple[float, ...]]:
    found: dict[str, tuple[float, ...]] = {}
    for key, at in times:
        found[key] = (*found.get(key, ()), at)
    return found
