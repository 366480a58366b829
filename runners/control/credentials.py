"""The credentials loop: read the secrets again, so that a rotation is in force within a period."""

import structlog

from runners.control.world import World

log = structlog.get_logger()


async def credentials_pass(world: World) -> float | None:
    """Refresh the vault, and the GitHub tokens we get ourselves; what fails leaves the last good in force."""
    try:
        changed = await world.vault.refresh()
    finally:
        await world.prepare_tokens()
        _tell_missing(world)
    if changed:
        log.info("credentials.changed", names=sorted(changed))
        world.wake_planner()
    return None


def _tell_missing(world: World) -> None:
    """Log what is missing when that changes: at the start too, before anything waits for it."""
    missing = dict(world.missing_credentials())
    if missing == world.told_missing:
        return
    for key, why in missing.items():
        if world.told_missing.get(key) != why:
            log.error("credentials.missing", upstream=key, missing=why)
    for key in world.told_missing.keys() - missing.keys():
        log.info("credentials.found", upstream=key)
    world.told_missing = missing
    world.wake_planner()
