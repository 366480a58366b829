"""The planned world: the Snapshot as apply's commit will leave its rows, before any call is answered.

The planner plans it again until nothing changes, so that one Plan holds all that follows from its own
decisions: a Runner retired here leaves its Machine to the next job in the same Plan. It mirrors
``control/apply.py`` and ``control/request.py`` in rows and in what they spend; a test compares them.
"""

from collections.abc import Mapping
from dataclasses import replace

from runners.model.nouns import Boot, Job, Machine, Runner
from runners.model.reason import Why
from runners.model.snapshot import Pool, Snapshot
from runners.model.states import MachineState, RunnerState
from runners.planning.facts import may_be_registered, mint_is_out
from runners.planning.plan import (
    Action,
    BindSpare,
    Defer,
    Deregister,
    Destroy,
    Launch,
    Retire,
    StartSpare,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)

# The commit chooses the names; no name that it chooses has a colon, so these are not taken for one.
_UNNAMED = "planned:"


def planned(snapshot: Snapshot, actions: tuple[Action, ...]) -> Snapshot:
    """The rows and the spent budget once these actions are committed."""
    world = _Rows(snapshot)
    for action in actions:
        world.commit(action)
    return world.snapshot()


def sends_delete(snapshot: Snapshot, runner: Runner) -> bool:
    """Whether a DELETE of this retiring Runner's registration goes out with the commit, and costs a write."""
    return may_be_registered(runner) and not mint_is_out(runner, snapshot)


def retiring(snapshot: Snapshot, runner: Runner, why: Why) -> Runner:
    """The Runner's row after its retirement was committed."""
    now = snapshot.now
    return replace(runner, state=RunnerState.RETIRING, state_at=now, retiring_at=now, reason=why.reason)


class _Rows:
    """The rows of a Snapshot while actions are committed to them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._before = snapshot
        self._pools: Mapping[str, Pool] = {pool.name: pool for pool in snapshot.pools}
        self._jobs: dict[int, Job] = {job.id: job for job in snapshot.jobs}
        self._machines: dict[str, Machine] = {machine.name: machine for machine in snapshot.machines}
        self._runners: dict[str, Runner] = {runner.name: runner for runner in snapshot.runners}
        self._creates = dict(snapshot.limits.creates)
        self._writes = dict(snapshot.limits.writes)
        self._swept = dict(snapshot.swept)

    def commit(self, action: Action) -> None:
        """Write one action down."""
        now = self._before.now
        match action:
            case Retire(name, why):
                self._runners[name] = retiring(self._before, self._runners[name], why)
                self._delete(name)
            case Deregister(name, _):
                self._delete(name)
            case Destroy(name, why):
                machine = self._machines[name]
                self._machines[name] = replace(machine, destroy_sent_at=now, reason=why.reason)
            case Defer(job_id, until, _):
                job = self._jobs[job_id]
                self._jobs[job_id] = replace(job, not_before=until, deferrals=job.deferrals + 1)
            case SweepMachine():
                self._swept[action.name] = now
            case SweepVolume():
                self._swept[action.swept_as] = now
            case SweepRegistration():
                self._swept[action.name] = now
                self._spend_write(action.scope.split("/")[1])
            case Launch() | StartSpare() | BindSpare():
                self._request(action)

    def snapshot(self) -> Snapshot:
        """The Snapshot with these rows."""
        return replace(
            self._before,
            jobs=tuple(self._jobs.values()),
            machines=tuple(self._machines.values()),
            runners=tuple(self._runners.values()),
            limits=replace(self._before.limits, creates=self._creates, writes=self._writes),
            swept=self._swept,
        )

    def _request(self, request: Launch | StartSpare | BindSpare) -> None:
        machine = self._machine(request)
        self._machines[machine.name] = machine
        if not request.registration or machine.boot is None:
            return
        now, settings = self._before.now, self._pools[request.pool].settings
        jit = request.registration == "jit"
        name = f"{_UNNAMED}{len(self._runners)}"
        self._runners[name] = Runner(
            name=name,
            pool=request.pool,
            scope=settings.scope,
            machine_name=machine.name,
            boot_seq=machine.boot.seq,
            registration=request.registration,
            state=RunnerState.REQUESTED,
            requested_at=now,
            state_at=now,
            demand_at=request.demand_at,
            mint_sent_at=now if jit else None,
        )
        if jit:
            self._spend_write(settings.owner)

    def _machine(self, request: Launch | StartSpare | BindSpare) -> Machine:
        now = self._before.now
        if isinstance(request, BindSpare):
            return self._machines[request.machine]
        if isinstance(request, StartSpare):
            spare = self._machines[request.machine]
            seq = 1 if spare.boot is None else spare.boot.seq + 1
            boot = Boot(spare.name, seq, now)
            return replace(
                spare, state=MachineState.STARTING, state_at=now, boot=boot, reason=request.why.reason
            )
        name = f"{_UNNAMED}{len(self._machines)}"
        self._creates[request.app] = (*self._creates.get(request.app, ()), now)
        return Machine(
            name=name,
            pool=request.pool,
            machine_class=request.machine_class,
            image=self._before.image,
            app=request.app,
            region=request.region,
            fly_id=None,
            state=MachineState.CREATING,
            requested_at=now,
            state_at=now,
            boot=Boot(name, 1, now) if request.start else None,
            fingerprint=self._before.fingerprints.get(request.machine_class),
        )

    def _delete(self, name: str) -> None:
        runner = self._runners[name]
        if sends_delete(self._before, runner):
            self._runners[name] = replace(runner, delete_sent_at=self._before.now)
            self._spend_write(runner.owner)

    def _spend_write(self, owner: str) -> None:
        self._writes[owner] = (*self._writes.get(owner, ()), self._before.now)
