"""Step 4, place: an app and a region for each launch.

The app with the most create budget left takes the next one, so a burst spreads over a pool's apps. The
first region in the pool's order that has not refused this class lately takes it; when all have, the launch
is held until the first of them may be asked again.
"""

from collections.abc import Mapping
from dataclasses import replace

from runners.model.reason import Why
from runners.model.snapshot import Pool, Snapshot
from runners.planning.buckets import creates_left
from runners.planning.plan import Action, Held, Launch, target_of


def place(snapshot: Snapshot, actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """The same actions with every Launch placed, or held for want of a place."""
    pools = {pool.name: pool for pool in snapshot.pools}
    left = {app: creates_left(snapshot, app) for pool in snapshot.pools for app in pool.settings.apps}
    placed: list[Action] = []
    held: list[Held] = []
    for action in actions:
        if not isinstance(action, Launch):
            placed.append(action)
            continue
        pool = pools[action.pool]
        region = _region(snapshot, pool, action.machine_class)
        if isinstance(region, Why):
            held.append(Held(target_of(action), pool.name, region))
            continue
        app = _app(snapshot, pool, left)
        left[app] -= 1
        placed.append(replace(action, app=app, region=region))
    return tuple(placed), tuple(held)


def _region(snapshot: Snapshot, pool: Pool, machine_class: str) -> str | Why:
    """The first region without a recent refusal of this class, or why there is none."""
    memory = snapshot.timing.capacity_memory
    recent = {
        refusal.region: refusal
        for refusal in snapshot.refusals
        if refusal.machine_class == machine_class and snapshot.now - refusal.at < memory
    }
    for region in pool.settings.regions:
        if region not in recent:
            return region
    first = min((recent[region] for region in pool.settings.regions), key=lambda refusal: refusal.at)
    return Why(first.why.reason, first.why.detail, first.at + memory)


def _app(snapshot: Snapshot, pool: Pool, left: Mapping[str, float]) -> str:
    """The open app with the most budget left; the order in the settings breaks ties."""

    def preference(app: str) -> tuple[bool, float]:
        blocked = snapshot.limits.blocked_until.get(f"fly:{app}", 0.0) > snapshot.now
        return blocked, -left[app]

    return min(pool.settings.apps, key=preference)
