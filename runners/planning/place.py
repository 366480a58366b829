"""Step 4, place: a region for each launch, and the rule for its app.

The first region in the pool's order that has not refused this class lately takes it; when all have, the
launch is held until the first of them may be asked again. The app with the most create budget left takes the
next one, so a burst spreads over a pool's apps; that is known when the launch is paid for (``purse``).
"""

from collections.abc import Mapping
from dataclasses import replace

from runners.model.reason import Why
from runners.model.snapshot import Pool, Snapshot
from runners.planning.plan import Action, Held, Launch, target_of


def place(snapshot: Snapshot, actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """The same actions with a region for every Launch, or held for want of one."""
    pools = {pool.name: pool for pool in snapshot.pools}
    placed: list[Action] = []
    held: list[Held] = []
    for action in actions:
        if not isinstance(action, Launch):
            placed.append(action)
            continue
        region = _region(snapshot, pools[action.pool], action.machine_class)
        if isinstance(region, Why):
            held.append(Held(target_of(action), action.pool, region))
        else:
            placed.append(replace(action, region=region))
    return tuple(placed), tuple(held)


def choose_app(snapshot: Snapshot, pool: Pool, left: Mapping[str, float]) -> str:
    """The open app with the most create budget left; the order in the settings breaks ties."""

    def preference(app: str) -> tuple[bool, float]:
        blocked = snapshot.limits.blocked_until.get(f"fly:{app}", 0.0) > snapshot.now
        return blocked, -left[app]

    return min(pool.settings.apps, key=preference)


def _region(snapshot: Snapshot, pool: Pool, machine_class: str) -> str | Why:
    """The first region without a recent refusal of this class, or why there is none."""
    memory = snapshot.timing.capacity_memory
    recent = {
        refusal.region: refusal
        for refusal in sorted(snapshot.refusals, key=lambda refusal: refusal.at)
        if refusal.machine_class == machine_class and snapshot.now - refusal.at < memory
    }
    for region in pool.settings.regions:
        if region not in recent:
            return region
    first = min((recent[region] for region in pool.settings.regions), key=lambda refusal: refusal.at)
    return Why(first.why.reason, first.why.detail, first.at + memory)
