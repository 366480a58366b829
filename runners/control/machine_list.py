"""The Machine list loop: one list call per app, then a closer look at the rows of ours that it lacks.

A Machine missing from a list is not gone: lists lag. One whose id we know is asked for by id, and only
Fly's ``destroyed`` or 404 ends it. One whose create was never answered is looked up by name, ended ones too.
"""

import asyncio

from machines.provider import Found
from runners.control.volume_list import read_volumes
from runners.control.world import World
from runners.model.nouns import Machine
from runners.model.snapshot import End, SeenMachine
from runners.secrets.interface import CredentialMissing
from runners.store import machines
from runners.upstream.errors import UpstreamError

# Looks at single Machines that run at once; Fly allows 5 a second each, so they never queue on one bucket.
LOOKS_AT_ONCE = 10


async def machine_list_pass(world: World) -> float | None:
    """Read every app's list; raises the first failure after all apps were tried."""
    rows = await world.store.run(machines.live)
    apps = {app for pool in world.settings.pools for app in pool.apps} | {row.app for row in rows}
    results = await asyncio.gather(
        *(_read_app(world, app, [row for row in rows if row.app == app]) for app in sorted(apps)),
        return_exceptions=True,
    )
    world.wake_planner()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return None


async def _read_app(world: World, app: str, rows: list[Machine]) -> None:
    at = world.clock.now()
    listed = {found.name: found for found in await world.provider.list(app)}
    live = [found for found in listed.values() if not found.ended]
    gate = asyncio.Semaphore(LOOKS_AT_ONCE)
    missing = [row for row in rows if row.name not in listed or listed[row.name].ended]
    for row, found in zip(
        missing, await asyncio.gather(*(_look(world, gate, row, at) for row in missing)), strict=True
    ):
        if found is not None:
            listed[row.name] = found
    world.readings.machines_read(
        app,
        at,
        expected=[row.name for row in rows],
        seen=[_seen(world, found) for found in listed.values() if not found.ended],
        # By the row's name: what Fly no longer knows (404) has no name of its own.
        ended={name: End(at, found.exit_code, found.oom) for name, found in listed.items() if found.ended},
    )
    await read_volumes(world, app, live)


async def _look(world: World, gate: asyncio.Semaphore, row: Machine, at: float) -> Found | None:
    """What Fly says of one Machine; None when it could not be asked, or knows none of that name."""
    async with gate:
        try:
            if row.fly_id is not None:
                return await world.provider.look(row.app, row.fly_id)
            if at - row.requested_at >= world.settings.timing.launch_deadline:
                return await world.provider.find(row.app, row.name)
        except (UpstreamError, CredentialMissing):
            return None
    return None


def _seen(world: World, found: Found) -> SeenMachine:
    return SeenMachine(
        fly_id=found.fly_id,
        name=found.name,
        app=found.app,
        region=found.region,
        state=found.state,
        host_ok=found.host_ok,
        ours=found.fleet == world.settings.fleet.name,
        first_seen_at=0.0,
    )
