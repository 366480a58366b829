"""The group list loop: who may use the pools' runners, one read per scope, now and then.

A scope that was never read is tried with each pass, the others when their time has come. What cannot be read
changes nothing; what was read and is bad closes the pools it is about, until it is read and good again.
"""

import asyncio
from collections.abc import Mapping
from functools import partial

from sqlalchemy import Connection

from runners.control.world import World
from runners.model.reason import Reason, Why
from runners.planning.trust import distrusted
from runners.store import events

ACTOR = "group-list"


async def group_list_pass(world: World) -> float | None:
    """Read every scope that is due; raises the first failure after all were tried."""
    before = distrusted(world.settings.pools, world.readings.scopes())
    due = sorted(scope for scope in {pool.scope for pool in world.settings.pools} if _due(world, scope))
    results = await asyncio.gather(*(_read(world, scope) for scope in due), return_exceptions=True)
    after = distrusted(world.settings.pools, world.readings.scopes())
    if after != before:
        await world.store.run(partial(_note, before=before, after=after, at=world.clock.now()))
        world.changed()
        world.wake_planner()
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return None


def _due(world: World, scope: str) -> bool:
    read_at = world.readings.scope_read_at(scope)
    return read_at is None or world.clock.now() - read_at >= world.settings.timing.group_list_period


async def _read(world: World, scope: str) -> None:
    at = world.clock.now()
    if world.readings.scope_read_at(scope) is None:
        # Jobs may wait for it, so it does not queue behind the reads of the recovery loops.
        seen = await world.github.scope_seen(scope)
    else:
        async with world.pace():
            seen = await world.github.scope_seen(scope)
    world.readings.scope_read(scope, at, seen)


def _note(conn: Connection, before: Mapping[str, Why], after: Mapping[str, Why], at: float) -> None:
    """An event for each pool that is closed, for another reason, or open again."""
    for pool in sorted(before.keys() | after.keys()):
        old, new = before.get(pool), after.get(pool)
        first = old is not None and old.reason is Reason.GROUP_UNREAD
        if old == new or (first and new is None):
            continue
        open_again = Why(Reason.OBSERVED, "its runner group lets in whom the pool serves; it launches again")
        why = new or open_again
        events.append(
            conn,
            at=at,
            actor=ACTOR,
            verb="closed" if new is not None else "opened",
            target=f"pool/{pool}",
            reason=why.reason,
            detail=why.detail,
            outcome="held" if new is not None else "ok",
        )
