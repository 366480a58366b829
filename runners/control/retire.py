"""Endings: remove a registration, destroy a Machine. Apply has committed each intent before it comes here."""

from sqlalchemy import Connection

from runners.control.world import World
from runners.github.registrations import Removal
from runners.model.nouns import Machine, Runner
from runners.model.reason import Reason, Why
from runners.model.states import MachineState, RunnerState
from runners.secrets.interface import CredentialMissing
from runners.store import events, machines, runners
from runners.store.connections import take_writer_lock
from runners.upstream.errors import UpstreamError

ACTOR = "planner"


async def deregister(world: World, runner: Runner) -> None:
    """DELETE one registration. 422 says busy: the Runner goes back to busy and nothing is killed.

    A runner whose Machine has ended is busy at GitHub for some minutes yet, until its job's lock expires; it
    stays retiring, and the planner sends the DELETE again.
    """
    try:
        removal = await _remove(world, runner.scope, runner.github_id, runner.name)
    except (UpstreamError, CredentialMissing) as error:
        await _note(
            world, "deregistered", f"runner/{runner.name}", Why(runner.reason or Reason.SURPLUS), error
        )
        return
    world.reached("retire.deleted")
    now = world.clock.now()

    def op(conn: Connection) -> None:
        take_writer_lock(conn)
        if removal is not Removal.BUSY:
            runners.update(conn, runner.name, deregistered_at=now)
            return
        machine = machines.get(conn, runner.machine_name)
        if machine is not None and machine.state is not MachineState.GONE:
            runners.move(
                conn,
                runner.name,
                RunnerState.BUSY,
                at=now,
                actor=ACTOR,
                reason=Reason.BUSY,
                detail="GitHub refused the removal: it runs a job",
                busy_at=runner.busy_at or now,
            )

    await world.store.run(op)
    world.changed()
    world.wake_planner()


async def sweep_registration(world: World, scope: str, github_id: int, name: str, why: Why) -> None:
    """DELETE a registration that has no Runner."""
    error: UpstreamError | CredentialMissing | None = None
    try:
        await world.github.delete_runner(scope, github_id)
    except (UpstreamError, CredentialMissing) as failure:
        error = failure
    await _note(world, "swept", f"runner/{name}", why, error)


async def destroy(world: World, machine: Machine, why: Why) -> None:
    """Destroy one Machine of ours; the Machine list says when it is gone."""
    error: UpstreamError | CredentialMissing | None = None
    try:
        fly_id = machine.fly_id
        if fly_id is None:
            found = await world.provider.find(machine.app, machine.name)
            fly_id = None if found is None or found.ended else found.fly_id
        if fly_id is not None:
            await world.provider.destroy(machine.app, fly_id)
    except (UpstreamError, CredentialMissing) as failure:
        error = failure
    world.reached("destroy.answered")
    await _note(world, "destroyed", f"machine/{machine.name}", why, error)


async def sweep_machine(world: World, app: str, fly_id: str, name: str, why: Why) -> None:
    """Destroy a Machine that carries our owner tag but has no row."""
    error: UpstreamError | CredentialMissing | None = None
    try:
        await world.provider.destroy(app, fly_id)
    except (UpstreamError, CredentialMissing) as failure:
        error = failure
    await _note(world, "swept", f"machine/{name}", why, error)


async def sweep_volume(world: World, app: str, volume_id: str, why: Why) -> None:
    """Delete a volume that no Machine has."""
    error: UpstreamError | CredentialMissing | None = None
    try:
        await world.provider.volumes.delete(app, volume_id)
    except (UpstreamError, CredentialMissing) as failure:
        error = failure
    await _note(world, "swept", f"volume/{volume_id}", why, error)


async def _remove(world: World, scope: str, github_id: int | None, name: str) -> Removal:
    """Remove by id; by name when the id was never learned (a lost mint, or token mode)."""
    if github_id is None:
        found = await world.github.find_runner(scope, name)
        if found is None:
            return Removal.ABSENT
        github_id = found.github_id
    return await world.github.delete_runner(scope, github_id)


async def _note(
    world: World, verb: str, target: str, why: Why, error: UpstreamError | CredentialMissing | None
) -> None:
    """The event of one ending; a failure is not repeated here, the planner sends it again when it is due."""
    outcome = "ok"
    if isinstance(error, UpstreamError):
        outcome = str(error.error_class)
    elif error is not None:
        outcome = "refused"
    detail = why.detail if error is None else f"{why.detail}; failed: {error}"
    at = world.clock.now()
    await world.store.run(
        lambda conn: events.append(
            conn,
            at=at,
            actor=ACTOR,
            verb=verb,
            target=target,
            reason=why.reason,
            detail=detail,
            outcome=outcome,
        )
    )
    world.changed()
