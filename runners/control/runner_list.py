"""The runner list loop: one scope's registrations, 100 a page, for drift and for what vanished."""

import asyncio

from runners.control.world import World
from runners.model.nouns import Runner
from runners.model.snapshot import SeenRunner
from runners.store import runners


async def runner_list_pass(world: World) -> float | None:
    """Read every scope's list; raises the first failure after all scopes were tried."""
    rows = await world.store.run(runners.live)
    scopes = {pool.scope for pool in world.settings.pools} | {row.scope for row in rows}
    results = await asyncio.gather(
        *(_read_scope(world, scope, rows) for scope in sorted(scopes)), return_exceptions=True
    )
    world.wake_planner()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return None


async def _read_scope(world: World, scope: str, rows: tuple[Runner, ...]) -> None:
    at = world.clock.now()
    listed = await world.github.list_runners(scope)
    world.readings.runners_read(
        scope,
        at,
        owned=frozenset(row.name for row in rows if row.scope == scope),
        # A registration is expected only once GitHub confirmed it: before that its absence says nothing.
        expected=[row.name for row in rows if row.scope == scope and row.github_id is not None],
        seen=[SeenRunner(each.github_id, each.name, each.online, each.busy, at) for each in listed],
    )
