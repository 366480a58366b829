"""Request: commit the rows of a launch, with their names and the budget they spend, before any call.

One transaction for all requests of a plan. What was committed here is what the effects send; a crash right
after it leaves rows that the Machine list and the deadlines resolve.
"""

from dataclasses import dataclass, replace

from sqlalchemy import Connection

from runners.control.world import World
from runners.model.nouns import Boot, Machine, Runner
from runners.model.settings import PoolSettings
from runners.model.states import MachineState, RunnerState
from runners.planning.names import machine_name, runner_name
from runners.planning.plan import BindSpare, Launch, StartSpare
from runners.store import machines, runners

ACTOR = "planner"
Request = Launch | StartSpare | BindSpare


@dataclass(frozen=True, slots=True)
class Order:
    """What the effects of one committed request are.

    Attributes:
        machine: the Machine's row as committed.
        runner: the Runner to mint for, or None for a spare.
        create: send a create (else, with ``start``, a start of a stopped spare).
        start: whether the Machine is to run.
    """

    machine: Machine
    runner: Runner | None
    create: bool
    start: bool


def commit(conn: Connection, world: World, requests: tuple[Request, ...], now: float) -> tuple[Order, ...]:
    """Commit the rows of these requests; one whose spare is no longer free is dropped."""
    orders = (_commit_one(conn, world, request, now) for request in requests)
    return tuple(order for order in orders if order is not None)


def _commit_one(conn: Connection, world: World, request: Request, now: float) -> Order | None:
    pool = world.settings.pool(request.pool)
    if pool is None:
        return None
    if isinstance(request, Launch):
        machine = _new_machine(world, request, now)
        machines.insert(conn, machine, actor=ACTOR, reason=request.why.reason, detail=request.why.detail)
        runner = _new_runner(conn, world, pool, request, machine, 1, now)
        return Order(machine, runner, create=True, start=request.start)
    spare = machines.get(conn, request.machine)
    if spare is None or spare.state in (MachineState.BOUND, MachineState.GONE):
        return None
    if isinstance(request, StartSpare):
        return _start(conn, world, pool, request, spare, now)
    if spare.boot is None or spare.state is MachineState.STOPPED:
        return None
    runner = _new_runner(conn, world, pool, request, spare, spare.boot.seq, now)
    return Order(spare, runner, create=False, start=False)


def _start(
    conn: Connection, world: World, pool: PoolSettings, request: StartSpare, spare: Machine, now: float
) -> Order | None:
    moved = machines.move(
        conn,
        spare.name,
        MachineState.STARTING,
        at=now,
        actor=ACTOR,
        reason=request.why.reason,
        detail=request.why.detail,
    )
    seq = machines.begin_boot(conn, spare.name, now) if moved else 0
    if seq == 0:
        return None
    started = replace(spare, state=MachineState.STARTING, boot=Boot(spare.name, seq, now))
    runner = _new_runner(conn, world, pool, request, started, seq, now)
    return Order(started, runner, create=False, start=True)


def _new_machine(world: World, request: Launch, now: float) -> Machine:
    name = machine_name(world.settings.fleet.name, request.pool, world.unique())
    return Machine(
        name=name,
        pool=request.pool,
        machine_class=request.machine_class,
        image=world.settings.fly.image,
        app=request.app,
        region=request.region,
        fly_id=None,
        state=MachineState.CREATING,
        requested_at=now,
        state_at=now,
        boot=Boot(name, 1, now) if request.start else None,
        fingerprint=world.provider.fingerprints.get(request.machine_class),
    )


def _new_runner(
    conn: Connection,
    world: World,
    pool: PoolSettings,
    request: Request,
    machine: Machine,
    seq: int,
    now: float,
) -> Runner | None:
    if not request.registration:
        return None
    count = len(runners.by_machine(conn, machine.name)) + 1
    runner = Runner(
        name=runner_name(machine.name, count),
        pool=pool.name,
        scope=pool.scope,
        machine_name=machine.name,
        boot_seq=seq,
        registration=request.registration,
        state=RunnerState.REQUESTED,
        requested_at=now,
        state_at=now,
        demand_at=None if request.job_id in world.planned_jobs else request.demand_at,
        mint_sent_at=now if request.registration == "jit" else None,
    )
    runners.insert(conn, runner, actor=ACTOR, reason=request.why.reason, detail=request.why.detail)
    return runner
