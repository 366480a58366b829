"""The planner loop: observe → plan → apply, one pass at a time, by whoever holds the planner's lease."""

import structlog
from sqlalchemy import Connection

from runners.control.apply import apply
from runners.control.observe import observe
from runners.control.world import View, World
from runners.planning.explain import explain
from runners.planning.forecast import forecast
from runners.planning.plan import Plan
from runners.planning.planner import plan
from runners.store import events, lease

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
    # Whoever only observes must not keep the lease from a dispatcher that would act.
    term = await _term(world, now, period * LEASE_PERIODS) if touch else None
    snapshot = await observe(world)
    decided = plan(snapshot)
    whys = explain(snapshot, decided)
    world.view = View(snapshot, decided, whys, forecast(snapshot, decided, whys))
    if term is not None:
        await apply(world, snapshot, decided, term)
        await _note_held(world, decided)
        world.planned_jobs = frozenset(job.id for job in snapshot.jobs)
    world.meters.planned(decided, carried_out=term is not None)
    if decided.actions or decided.held:
        log.info(
            "planner.planned",
            actions=len(decided.actions),
            held=len(decided.held),
            jobs=len(snapshot.jobs),
            machines=len(snapshot.machines),
            applied=term is not None,
        )
    world.changed()
    return decided.wake_at


async def _term(world: World, now: float, ttl: float) -> float | None:
    """This dispatcher's term as the one that plans, or None while another one does."""

    def op(conn: Connection) -> float | None:
        return lease.term(conn, world.holder) if lease.acquire(conn, world.holder, now, ttl) else None

    return await world.store.run(op)


async def _note_held(world: World, decided: Plan) -> None:
    """An event when a job begins to be held back, or for another Reason: what ``why`` tells afterwards."""
    now = {
        int(entry.target.removeprefix("job/")): entry.why
        for entry in decided.held
        if entry.target.startswith("job/")
    }
    news = {job: why for job, why in now.items() if world.held_jobs.get(job) is not why.reason}
    world.held_jobs = {job: why.reason for job, why in now.items()}
    if not news:
        return
    at = world.clock.now()

    def op(conn: Connection) -> None:
        for job, why in sorted(news.items()):
            events.append(
                conn,
                at=at,
                actor="planner",
                verb="held",
                target=f"job/{job}",
                reason=why.reason,
                detail=why.detail,
                outcome="held",
            )

    await world.store.run(op)
