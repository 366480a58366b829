"""The retention loop: finished rows and old events go after ``timing.retention``; live rows never do."""

import structlog

from runners.control.world import World
from runners.store import retention

log = structlog.get_logger()


async def retention_pass(world: World) -> float | None:
    """Purge once."""
    before = world.clock.now() - world.settings.timing.retention
    counts = await world.store.run(lambda conn: retention.purge(conn, before))
    log.info("retention.purged", counts=str(counts))
    return None
