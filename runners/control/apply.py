"""Apply: the one place where a plan becomes rows and calls. It has no choices left to make.

First one transaction commits every intent: rows, names, budget, moves. Then the calls go out in parallel.
An intent whose row moved on since the Snapshot is dropped, and the next pass decides anew.
"""

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from runners.control import retire
from runners.control.launch import launch, mint_for
from runners.control.request import ACTOR, Order, Request, commit
from runners.control.world import World
from runners.model.nouns import Machine, Runner
from runners.model.reason import Why
from runners.model.snapshot import Snapshot
from runners.model.states import RunnerState
from runners.planning.facts import may_be_registered, mint_is_out
from runners.planning.plan import (
    Action,
    Defer,
    Deregister,
    Destroy,
    Plan,
    Retire,
    SweepMachine,
    SweepRegistration,
    SweepVolume,
)
from runners.store import events, jobs, lease, machines, runners, sealed
from runners.store.connections import take_writer_lock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Committed:
    """The effects that the committed intents ask for."""

    orders: tuple[Order, ...] = ()
    deregister: tuple[Runner, ...] = ()
    destroy: tuple[tuple[Machine, Why], ...] = ()


async def apply(world: World, snapshot: Snapshot, plan: Plan, term: float) -> None:
    """Commit the plan's intents, then start its effects.

    Args:
        world: what this dispatcher is made of.
        snapshot: what the plan was made from.
        plan: what to do.
        term: of the planner's lease when the snapshot was taken. If another dispatcher has planned since,
            this plan is dropped whole: both might have answered the same demand.
    """
    if not plan.actions:
        return
    committed = await world.store.run(lambda conn: _commit(conn, world, snapshot, plan, term))
    if committed is None:
        log.warning("planner.term_ended", actions=len(plan.actions))
        return
    world.reached("intents.committed")
    world.changed()
    _start(world, plan, committed)


def _commit(conn: Connection, world: World, snapshot: Snapshot, plan: Plan, term: float) -> Committed | None:
    # What is looked at below must not change before it is acted on.
    take_writer_lock(conn)
    if lease.term(conn, world.holder) != term:
        return None
    now = world.clock.now()
    deregister: list[Runner] = []
    destroy: list[tuple[Machine, Why]] = []
    for action in plan.actions:
        match action:
            case Retire(name, why) if _stands(conn, snapshot, name):
                deregister.extend(_retire(conn, snapshot, name, why, now))
            case Deregister(name, _):
                deregister.extend(_send_delete(conn, snapshot, name, now))
            case Destroy(name, why):
                destroy.extend(_destroy(conn, snapshot, name, why, now))
            case Defer(job_id, until, why):
                _defer(conn, job_id, until, why, now)
            case _:
                continue
    requests = tuple(action for action in plan.actions if isinstance(action, Request))
    orders = commit(conn, world, requests, now)
    return Committed(orders, tuple(deregister), tuple(destroy))


def _start(world: World, plan: Plan, committed: Committed) -> None:
    effects = world.effects
    for order in committed.orders:
        if order.create or order.start:
            effects.start(f"launch {order.machine.name}", launch(world, order))
        if order.runner is not None:
            effects.start(f"mint {order.runner.name}", mint_for(world, order.runner))
    for runner in committed.deregister:
        effects.start(f"deregister {runner.name}", retire.deregister(world, runner))
    for machine, why in committed.destroy:
        effects.start(f"destroy {machine.name}", retire.destroy(world, machine, why))
    for action in plan.actions:
        _start_sweep(world, action)


def _start_sweep(world: World, action: Action) -> None:
    match action:
        case SweepMachine(app, fly_id, name, why):
            world.swept[name] = world.clock.now()
            world.effects.start(f"sweep {name}", retire.sweep_machine(world, app, fly_id, name, why))
        case SweepRegistration(scope, github_id, name, why):
            world.swept[name] = world.clock.now()
            world.effects.start(
                f"sweep {name}", retire.sweep_registration(world, scope, github_id, name, why)
            )
        case SweepVolume(app, volume_id, why):
            world.swept[action.swept_as] = world.clock.now()
            world.effects.start(f"sweep {volume_id}", retire.sweep_volume(world, app, volume_id, why))
        case _:
            return


def _stands(conn: Connection, snapshot: Snapshot, name: str) -> bool:
    """Whether a Runner is still in the state that the plan saw: a job may have come to it, or its claim."""
    runner = runners.get(conn, name)
    return runner is not None and any(
        seen.name == name and seen.state is runner.state for seen in snapshot.runners
    )


def _retire(conn: Connection, snapshot: Snapshot, name: str, why: Why, now: float) -> tuple[Runner, ...]:
    """Move it to retiring; what was sealed for it is handed out no more."""
    moved = runners.move(
        conn,
        name,
        RunnerState.RETIRING,
        at=now,
        actor=ACTOR,
        reason=why.reason,
        detail=why.detail,
        retiring_at=now,
    )
    if not moved:
        return ()
    sealed.delete(conn, name)
    return _send_delete(conn, snapshot, name, now)


def _send_delete(conn: Connection, snapshot: Snapshot, name: str, now: float) -> tuple[Runner, ...]:
    runner = runners.get(conn, name)
    retiring = runner is not None and runner.state is RunnerState.RETIRING
    if runner is None or not retiring or not may_be_registered(runner) or mint_is_out(runner, snapshot):
        return ()
    runners.update(conn, name, delete_sent_at=now)
    return (runner,)


def _destroy(
    conn: Connection, snapshot: Snapshot, name: str, why: Why, now: float
) -> tuple[tuple[Machine, Why], ...]:
    machine = machines.get(conn, name)
    seen = next((each for each in snapshot.machines if each.name == name), None)
    if machine is None or seen is None or machine.state is not seen.state:
        return ()
    busy = {runner.name for runner in snapshot.runners if runner.state is RunnerState.BUSY}
    if any(
        runner.state is RunnerState.BUSY and runner.name not in busy
        for runner in runners.by_machine(conn, name)
    ):
        # It took a job since the Snapshot: what runs a job is not killed on an older view.
        return ()
    machines.update(conn, name, destroy_sent_at=now, reason=why.reason)
    return ((machine, why),)


def _defer(conn: Connection, job_id: int, until: float, why: Why, now: float) -> None:
    job = jobs.get(conn, job_id)
    if job is None:
        return
    jobs.update(conn, job_id, not_before=until, deferrals=job.deferrals + 1)
    events.append(
        conn,
        at=now,
        actor=ACTOR,
        verb="deferred",
        target=f"job/{job_id}",
        reason=why.reason,
        detail=why.detail,
    )
