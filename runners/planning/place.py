"""Step 4, place: a region for each launch, and the rule for its app.

The first region in the pool's order that has not refused this class lately takes it; when all have, or all
of the pool's apps have, the launch is held until the first of them may be asked again. The app with the most
create budget left takes the next one, so a burst spreads over a pool's apps; that is known when the launch is
paid for (``purse``).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from runners.model.reason import Why
from runners.model.snapshot import Pool, Snapshot
from runners.planning.places import EVERYWHERE, Place, Places
from runners.planning.plan import Action, Held, Launch, target_of


def place(snapshot: Snapshot, actions: tuple[Action, ...]) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """The same actions with a region for every Launch, or held for want of one."""
    pools = {pool.name: pool for pool in snapshot.pools}
    places = Places(snapshot)
    room = Counter({pool.name: pool.settings.max_machines for pool in snapshot.pools})
    room.subtract(machine.pool for machine in snapshot.machines)
    placed: list[Action] = []
    held: list[Held] = []
    for action in actions:
        if not isinstance(action, Launch):
            placed.append(action)
            continue
        region = _region_for(places, action, pools[action.pool])
        if isinstance(region, Why):
            held.append(Held(target_of(action), action.pool, region))
            continue
        placed.append(replace(action, region=region))
        if room[action.pool] > 0:
            # What the pool's cap is going to hold tries no place for others.
            places.enter(action.machine_class, EVERYWHERE)
            places.enter(action.machine_class, ("", region))
        room[action.pool] -= 1
    return tuple(placed), tuple(held)


def choose_app(snapshot: Snapshot, places: Places, pool: Pool, left: Mapping[str, float]) -> str | Why:
    """The open app with the most create budget left, or why none is open; the settings break ties."""
    machine_class = pool.settings.class_name
    whys = {app: places.closed(machine_class, (app, "")) for app in pool.settings.apps}
    open_apps = [app for app, why in whys.items() if why is None]
    if not open_apps:
        return _soonest(why for why in whys.values() if why is not None)

    def preference(app: str) -> tuple[bool, float]:
        return snapshot.limits.blocked_until.get(f"fly:{app}", 0.0) > snapshot.now, -left[app]

    return min(open_apps, key=preference)


def _region_for(places: Places, launch: Launch, pool: Pool) -> str | Why:
    """The launch's region, or why it has none now."""
    machine_class, settings = launch.machine_class, pool.settings
    broken = places.closed(machine_class, EVERYWHERE, boots=launch.start)
    if broken is not None:
        return broken
    app = _first_open(places, machine_class, [(app, "") for app in settings.apps])
    region = _first_open(places, machine_class, [("", region) for region in settings.regions])
    if isinstance(app, Why):
        return app
    if isinstance(region, Why):
        return region
    return region[1]


def _first_open(places: Places, machine_class: str, asked: list[Place]) -> Place | Why:
    """The first place that may be asked, or why there is none."""
    whys = {each: places.closed(machine_class, each) for each in asked}
    open_places = [each for each, why in whys.items() if why is None]
    return open_places[0] if open_places else _soonest(why for why in whys.values() if why is not None)


def _soonest(whys: Iterable[Why]) -> Why:
    return min(whys, key=lambda why: why.until or 0.0)
