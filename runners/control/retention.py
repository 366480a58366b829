"""The retention loop: finished rows and old events go after ``timing.retention``; live rows never do."""

import structlog

from runners.control.world import World
from runners.store import retention

log = structlog.get_logger()


async def retention_pass(world: World) -> float | None:
    """Purge, a batch per transaction so that nobody waits long behind it, until nothing old is left."""
    now, timing = world.clock.now(), world.settings.timing
    # A claim's token is good until its end plus the leeway; dispatchers' clocks may differ as much again.
    forgotten = now - 2 * timing.clock_leeway
    removed = 0
    while True:
        batch = await world.store.run(
            lambda conn: retention.purge(
                conn, now - timing.retention, tokens_expired_before=forgotten, now=now
            )
        )
        removed += batch.total
        if not batch.total:
            break
    if removed:
        log.info("retention.purged", rows=removed)
    return None
