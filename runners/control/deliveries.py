"""The delivery catch-up: webhooks that GitHub tried to send and we did not take, from the App's delivery log.

One call a minute covers every installation and spends none of their quota. It needs the App key
(``github.credentials = "app"``); without it the queue sweep alone finds what was lost.
"""

from runners.control.intake import DeliveryIntake
from runners.control.world import World
from runners.github.deliveries import DeliveryRef
from runners.store import deliveries
from runners.upstream.errors import ErrorClass, UpstreamError

CURSOR = "delivery-log"
# Attempts appear in the log somewhat after they were made, so each reading begins a little before the last.
OVERLAP_S = 120.0
# The log reaches back three days; a first reading goes back less, since older jobs have long been decided.
FIRST_REACH_S = 86_400.0


async def delivery_pass(world: World, intake: DeliveryIntake) -> float | None:
    """Read the log since the cursor, and hand what never arrived to the webhook's own handler."""
    if not await world.github.deliveries_readable():
        return None
    began = world.clock.now()
    stored = await world.store.run(lambda conn: deliveries.cursor(conn, CURSOR))
    restored = await world.store.run(lambda conn: deliveries.cursor(conn, deliveries.RESTORED))
    since = began - FIRST_REACH_S if stored is None else float(stored) - OVERLAP_S
    attempts = await _attempts(world, since)
    failure: Exception | None = None
    for attempt in _never_arrived(attempts, 0.0 if restored is None else float(restored)):
        if await world.store.run(lambda conn, guid=attempt.guid: deliveries.known(conn, guid)):  # type: ignore[misc]
            continue
        try:
            async with world.pace():
                payload = await world.github.delivery(attempt.id)
            await intake(attempt.guid, attempt.event, payload)
        except Exception as error:  # noqa: BLE001 - one delivery's failure must not hide the others
            # One that GitHub no longer has will never be readable: it must not hold the cursor for ever.
            gone = isinstance(error, UpstreamError) and error.error_class is ErrorClass.NOT_FOUND
            failure = failure if gone else failure or error
    if failure is not None:
        # The cursor stays, so the next pass tries it again; what was taken is known by its GUID.
        raise failure
    await world.store.run(lambda conn: deliveries.set_cursor(conn, CURSOR, repr(began)))
    return None


def _never_arrived(attempts: list[DeliveryRef], restored: float) -> list[DeliveryRef]:
    """The last attempt of each delivery that was never taken, the newest first.

    After an outage a job's ``completed`` then comes before its ``queued``, and nothing boots for it. What
    arrived before a backup was put in place may have been taken by the database that it replaced.
    """
    arrived = {attempt.guid for attempt in attempts if attempt.arrived and attempt.delivered_at > restored}
    latest = {each.guid: each for each in attempts if each.event == "workflow_job"}
    missed = [attempt for guid, attempt in latest.items() if guid not in arrived]
    return sorted(missed, key=lambda attempt: (attempt.delivered_at, attempt.id), reverse=True)


async def _attempts(world: World, since: float) -> list[DeliveryRef]:
    found: list[DeliveryRef] = []
    cursor: str | None = None
    while True:
        async with world.pace():
            page = await world.github.deliveries(since, cursor=cursor)
        found.extend(page.deliveries)
        cursor = page.next_cursor
        if cursor is None:
            return found
