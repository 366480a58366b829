"""The launch and the mint: two calls per request, in parallel, each recording its own outcome.

A refused launch ends its rows at once. A launch without an answer is left to the Machine list, which looks
the name up. A mint without an answer is never repeated: its Runner retires, the record is found by name and
removed, and the Machine gets a Runner with a new name.
"""

from typing import Any

from sqlalchemy import Connection

from machines.provider import LaunchOrder
from runners.control.request import ACTOR, Order
from runners.control.world import World
from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.states import MachineState, RunnerState
from runners.planning.places import TRIAL_MEMORIES
from runners.registration.mint import mint
from runners.registration.registration import token_hash
from runners.secrets.interface import CredentialMissing
from runners.store import events, full_regions, machines, runners, sealed
from runners.store.connections import take_writer_lock
from runners.upstream.errors import ErrorClass, UpstreamError


async def launch(world: World, order: Order) -> None:
    """Send the create or the start of one committed request, and record what came of it."""
    machine = order.machine
    world.reached("launch.committed")
    sent_at = world.clock.now()
    try:
        fly_id = await _call(world, order)
    except (UpstreamError, CredentialMissing) as error:
        await _launch_failed(world, order, error)
        return
    world.reached("launch.answered")
    to = MachineState.STARTING if order.start else MachineState.STOPPED
    now = world.clock.now()
    opened = await world.store.run(lambda conn: _launched(conn, order, fly_id, to, sent_at, now))
    world.changed()
    if world.accepted(machine.machine_class, machine.app, machine.requested_at) or opened:
        # What was held while this launch tried the place may follow now.
        world.wake_planner()


async def _call(world: World, order: Order) -> str:
    machine, settings = order.machine, world.settings
    if not order.create:
        if machine.fly_id is None:
            raise ValueError(f"Machine {machine.name} is to be started but has no id")
        await world.provider.start(machine.app, machine.fly_id)
        return machine.fly_id
    found = await world.provider.launch(
        LaunchOrder(
            name=machine.name,
            app=machine.app,
            region=machine.region,
            pool=machine.pool,
            machine_class=machine.machine_class,
            image=machine.image,
            fleet=settings.fleet.name,
            url=settings.fleet.public_url,
            start=order.start,
            claim_deadline_s=_claim_deadline(order, world),
            clock_skew_max_s=settings.timing.clock_skew_max,
        )
    )
    return found.fly_id


def _claim_deadline(order: Order, world: World) -> float:
    """A spare waits in its claim poll until it has been replaced; a cold Machine is waited for."""
    timing = world.settings.timing
    longer = 0.0 if order.runner is not None else timing.spare_max_age
    return longer + timing.claim_deadline


def _launched(
    conn: Connection, order: Order, fly_id: str, to: MachineState, sent_at: float, now: float
) -> bool:
    """Record it; returns whether it opened a region that was thought full."""
    machine, runner = order.machine, order.runner
    machines.adopt(conn, machine.name, fly_id)
    machines.move(conn, machine.name, to, at=now, actor=ACTOR, reason=Reason.OBSERVED, external_id=fly_id)
    if runner is not None:
        runners.update(conn, runner.name, launch_sent_at=sent_at)
        runners.move(conn, runner.name, RunnerState.LAUNCHING, at=now, actor=ACTOR, reason=Reason.OBSERVED)
    return order.create and full_regions.opened(
        conn, machine.machine_class, machine.region, machine.requested_at
    )


async def _launch_failed(world: World, order: Order, error: UpstreamError | CredentialMissing) -> None:
    machine, runner = order.machine, order.runner
    if isinstance(error, UpstreamError) and not error.answered:
        why = Why(Reason.LAUNCH_LOST, f"no answer: {error.why}; the Machine is looked up by name")
        await world.store.run(lambda conn: _note(conn, machine, why, "lost", world.clock.now()))
        return
    why = _why_not_launched(order, error)
    now = world.clock.now()
    full = order.create and why.reason is Reason.LAUNCH_NO_CAPACITY
    if why.reason is Reason.LAUNCH_REFUSED and _is_of_the_app(order, error):
        # Refused for good: in another region this app would refuse it too; another app may not.
        world.refused(machine.machine_class, why, machine.app)

    def op(conn: Connection) -> None:
        if full:
            # A start without room found one full host, not a full region; only a create tells that.
            full_regions.put(conn, machine.machine_class, machine.region, now, why.detail)
            full_regions.purge(conn, now - TRIAL_MEMORIES * world.settings.timing.capacity_memory)
        _not_launched(conn, order, why, now)

    await world.store.run(op)
    world.changed()
    if runner is not None:
        world.wake_planner()


def _is_of_the_app(order: Order, error: UpstreamError | CredentialMissing) -> bool:
    """Whether the app would refuse the next launch, too.

    A rate limit passes in a moment, and a start may fail for its one Machine, which Fly may no longer know.
    """
    if not isinstance(error, UpstreamError):
        return True
    if order.create:
        return error.error_class is not ErrorClass.TRY_LATER
    return error.error_class is ErrorClass.REFUSED


def _why_not_launched(order: Order, error: UpstreamError | CredentialMissing) -> Why:
    if isinstance(error, CredentialMissing):
        return Why(Reason.LAUNCH_REFUSED, f"{error.name} is missing")
    if not order.create and error.error_class is ErrorClass.TRY_LATER:
        return Why(Reason.LAUNCH_NOT_READY, error.why)
    if error.error_class is ErrorClass.NO_CAPACITY:
        return Why(Reason.LAUNCH_NO_CAPACITY, error.why)
    return Why(Reason.LAUNCH_REFUSED, f"{error.error_class}: {error.why}")


def _not_launched(conn: Connection, order: Order, why: Why, now: float) -> None:
    """Nothing exists at Fly: a create's row is gone, a start's spare is stopped again.

    Nobody will start it, so every Runner that waits for it retires: one may have been bound to it meanwhile.
    """
    machine = order.machine
    to = MachineState.GONE if order.create else MachineState.STOPPED
    machines.move(conn, machine.name, to, at=now, actor=ACTOR, reason=why.reason, detail=why.detail)
    for runner in runners.by_machine(conn, machine.name):
        if runner.state is RunnerState.REQUESTED:
            runners.move(
                conn,
                runner.name,
                RunnerState.RETIRING,
                at=now,
                actor=ACTOR,
                reason=why.reason,
                detail=why.detail,
                retiring_at=now,
            )


def _note(conn: Connection, machine: Machine, why: Why, outcome: str, now: float) -> None:
    events.append(
        conn,
        at=now,
        actor=ACTOR,
        verb="launched",
        target=f"machine/{machine.name}",
        reason=why.reason,
        detail=why.detail,
        outcome=outcome,
    )


async def mint_for(world: World, runner: Runner) -> None:
    """Mint one Runner's registration, seal it, and ring the Machine that waits for it."""
    pool = world.settings.pool(runner.pool)
    if pool is None:
        return
    try:
        sealer = world.sealer()
        registration, github_id = await mint(world.github, runner, pool, world.settings.github, world.entropy)
    except (UpstreamError, CredentialMissing) as error:
        await _mint_failed(world, runner, error)
        return
    world.reached("mint.answered")
    ciphertext = sealer.seal(registration)
    hook_hash = token_hash(registration.hook_token.get_secret_value())
    now = world.clock.now()

    def op(conn: Connection) -> None:
        take_writer_lock(conn)
        current = runners.get(conn, runner.name)
        if current is not None and current.state not in (RunnerState.RETIRING, RunnerState.GONE):
            # A Runner that was retired meanwhile claims nothing: what was minted is only to be removed.
            sealed.put(conn, runner.name, ciphertext, now)
            runners.set_hook_token(conn, runner.name, hook_hash)
        # What GitHub has just made is there, whatever a DELETE before it has found.
        known = {} if github_id is None else {"github_id": github_id, "deregistered_at": None}
        runners.update(conn, runner.name, minted_at=now, **known)

    await world.store.run(op)
    world.doorbell.ring(runner.machine_name)


async def _mint_failed(world: World, runner: Runner, error: UpstreamError | CredentialMissing) -> None:
    """Lost: the record may exist, so it is removed by name. Refused: nothing exists; ask again later."""
    now = world.clock.now()
    lost = isinstance(error, UpstreamError) and not error.answered
    taken = isinstance(error, UpstreamError) and error.status == 409  # noqa: PLR2004 - Conflict: the name exists
    if lost or taken:
        why = Why(Reason.MINT_LOST, "the mint's answer was lost; its record is removed by name")
        fields: dict[str, Any] = {"retiring_at": now}
    else:
        detail = f"{error.name} is missing" if isinstance(error, CredentialMissing) else error.why
        why = Why(Reason.MINT_REFUSED, detail)
        fields = {"retiring_at": now, "deregistered_at": now}
        world.mint_refused_until[runner.pool] = now + world.settings.timing.backoff_first
    await world.store.run(
        lambda conn: runners.move(
            conn,
            runner.name,
            RunnerState.RETIRING,
            at=now,
            actor=ACTOR,
            reason=why.reason,
            detail=why.detail,
            **fields,
        )
    )
    world.changed()
    world.wake_planner()
