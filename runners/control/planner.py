"""The planner loop: observe → plan → apply, one pass at a time, by whoever holds the planner's lease."""

import structlog

from runners.control.apply import apply
from runners.control.observe import observe
from runners.control.world import View, World
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.planner import plan
from runners.store import lease

log = structlog.get_logger()

# A holder that misses this many periods is taken for dead.
LEASE_PERIODS = 4


async def planner_pass(world: World, *, touch: bool = True) -> float | None:
    """One pass.

    Args:
        world: what this dispatcher is made of.
        touch: False only observes and explains (``serve --observe``).

    Returns:
        when something that was held back may be tried again, Unix seconds.
    """
    now, period = world.clock.now(), world.settings.timing.planner_period
    held = await world.store.run(lambda conn: lease.acquire(conn, world.holder, now, period * LEASE_PERIODS))
    snapshot = await observe(world)
    decided = plan(snapshot)
    world.view = View(snapshot, decided, explain(snapshot, decided), forecast(snapshot, decided))
    if touch and held:
        await apply(world, snapshot, decided)
    if decided.actions or decided.held:
        log.info(
            "planner.planned",
            actions=len(decided.actions),
            held=len(decided.held),
            jobs=len(snapshot.jobs),
            machines=len(snapshot.machines),
            applied=touch and held,
        )
    world.changed()
    return decided.wake_at
