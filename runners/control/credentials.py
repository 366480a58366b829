"""The credentials loop: read the secrets again, so that a rotation is in force within a period."""

import structlog

from runners.control.world import World

log = structlog.get_logger()


async def credentials_pass(world: World) -> float | None:
    """Refresh the vault; the last good reading stays in force when this one fails."""
    changed = await world.vault.refresh()
    if changed:
        log.info("credentials.changed", names=sorted(changed))
        world.wake_planner()
    return None
