"""Step 4, place: a region for each launch, and the rule for its app.

The first region in the pool's order that has not refused this class lately takes it; when all have, or all
of the pool's apps have, the launch is held until the first of them may be asked again. The app with the most
create budget left takes the next one, so a burst spreads over a pool's apps; that is known when the launch is
paid for (``purse``).
"""

from collections.abc import Mapping
from dataclasses import replace

from runners.model.reason import Why
from runners.model.snapshot import Pool, Refusal, Snapshot
from runners.planning.plan import Action, Held, Launch, target_of

# An app, or a region of every app: what may refuse a launch.
Place = tuple[str, str]


def place(snapshot: Snapshot, actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """The same actions with a region for every Launch, or held for want of one."""
    pools = {pool.name: pool for pool in snapshot.pools}
    placed: list[Action] = []
    held: list[Held] = []
    for action in actions:
        if not isinstance(action, Launch):
            placed.append(action)
            continue
        settings = pools[action.pool].settings
        refused = _refused(snapshot, action.machine_class)
        app = _first_open(snapshot, [(app, "") for app in settings.apps], refused)
        region = _first_open(snapshot, [("", region) for region in settings.regions], refused)
        if isinstance(app, Why):
            held.append(Held(target_of(action), action.pool, app))
        elif isinstance(region, Why):
            held.append(Held(target_of(action), action.pool, region))
        else:
            placed.append(replace(action, region=region[1]))
    return tuple(placed), tuple(held)


def choose_app(snapshot: Snapshot, pool: Pool, left: Mapping[str, float]) -> str:
    """The open app with the most create budget left; the order in the settings breaks ties."""
    refused = _refused(snapshot, pool.settings.class_name)

    def preference(app: str) -> tuple[bool, bool, float]:
        blocked = snapshot.limits.blocked_until.get(f"fly:{app}", 0.0) > snapshot.now
        return (app, "") in refused, blocked, -left[app]

    return min(pool.settings.apps, key=preference)


def _refused(snapshot: Snapshot, machine_class: str) -> Mapping[Place, Refusal]:
    """The latest refusals of this class that still count, by app and region, one of which is ""."""
    memory = snapshot.timing.capacity_memory
    return {
        (refusal.app, refusal.region): refusal
        for refusal in sorted(snapshot.refusals, key=lambda refusal: refusal.at)
        if refusal.machine_class == machine_class and snapshot.now - refusal.at < memory
    }


def _first_open(snapshot: Snapshot, places: list[Place], refused: Mapping[Place, Refusal]) -> Place | Why:
    """The first place without a recent refusal, or why there is none."""
    for each in places:
        if each not in refused:
            return each
    first = min((refused[each] for each in places), key=lambda refusal: refusal.at)
    return Why(first.why.reason, first.why.detail, first.at + snapshot.timing.capacity_memory)
