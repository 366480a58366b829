"""The credentials loop: read the secrets again, so that a rotation is in force within a period."""

import structlog
from sqlalchemy import Connection

from runners.control.world import World
from runners.model.reason import Reason
from runners.secrets.ageing import in_words
from runners.store import events

log = structlog.get_logger()


async def credentials_pass(world: World) -> float | None:
    """Refresh the vault, and the GitHub tokens we get ourselves; what fails leaves the last good in force."""
    try:
        changed = await world.vault.refresh()
    finally:
        await world.prepare_tokens()
        _tell_missing(world)
        await _note_ageing(world)
    if changed:
        log.info("credentials.changed", names=sorted(changed))
        world.wake_planner()
        world.credentials_changed()
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
    world.credentials_changed()


def _is(left: float) -> str:
    return f"is in {in_words(left)}" if left >= 0 else f"was {in_words(left)}"


async def _note_ageing(world: World) -> None:
    """An event when a credential begins to be late: an incident while there is time to act."""
    late = dict(world.ageing_credentials())
    news = late.keys() - world.told_ageing
    if news:
        at = world.clock.now()

        def op(conn: Connection) -> None:
            for name in sorted(news):
                events.append(
                    conn,
                    at=at,
                    actor="credentials",
                    verb="noticed",
                    target=name,
                    reason=Reason.CREDENTIAL_AGEING,
                    detail=f"{name} was not replaced in time: its end {_is(late[name])}",
                    outcome="late",
                )

        await world.store.run(op)
        for name in sorted(news):
            log.error("credentials.ageing", name=name, seconds_left=round(late[name]))
        world.changed()
    world.told_ageing = frozenset(late)
