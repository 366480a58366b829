"""``plan(snapshot) -> Plan``: five steps, one file each, each seeing what earlier ones decided.

What is decided has consequences: a Runner that is retired leaves a Machine for the next job, or a spare that
a drained pool does not keep. So the planned world is planned again until nothing more follows; spares come
last, when all demand has its share.

Held by tests, always: never above a cap, never touching a busy Runner, planning the planned world changes
nothing, and every queued job has supply on its way or a Reason why not (``explain``).
"""

from runners.model.snapshot import Snapshot
from runners.planning.budget import budget
from runners.planning.place import place
from runners.planning.plan import Action, Destroy, Held, Plan, Retire
from runners.planning.planned import planned
from runners.planning.provision import provision
from runners.planning.retire import retire
from runners.planning.room import make_room
from runners.planning.sweep import has_ended, sweep, working
from runners.planning.tally import Tally, tally

# A retired Runner frees a Machine, which a job takes or which ends: three rounds follow everything through.
# The bound only keeps ``plan`` total should a rule ever undo another one.
ROUNDS = 6


def plan(snapshot: Snapshot) -> Plan:
    """What to do now, and what was held back. Total: any Snapshot has a Plan."""
    world, decided = snapshot, tuple[Action, ...]()
    held: tuple[Held, ...] = ()
    for warm in (False, True):
        for _ in range(ROUNDS):
            actions, held = _round(world, warm=warm)
            if not actions:
                break
            decided, world = (*decided, *actions), planned(world, actions)
    return Plan(decided, held)


def tallies_of(snapshot: Snapshot) -> tuple[Tally, ...]:
    """Every pool's books."""
    return tuple(tally(snapshot, pool) for pool in snapshot.pools)


def _round(snapshot: Snapshot, *, warm: bool) -> tuple[tuple[Action, ...], tuple[Held, ...]]:
    """All steps once, over one state of the rows."""
    tallies = tallies_of(snapshot)
    endings = _once(_spare_the_working(snapshot, (*retire(snapshot, tallies), *sweep(snapshot))))
    ending = frozenset(action.machine for action in endings if isinstance(action, Destroy))
    requests, closed = provision(snapshot, tallies, ending, warm=warm)
    placed, nowhere = place(snapshot, requests)
    actions, unpaid = budget(snapshot, (*endings, *placed), nowhere)
    held = (*closed, *nowhere, *unpaid)
    if actions:
        return actions, held
    return budget(snapshot, make_room(snapshot, tallies, held))[0], held


def _spare_the_working(snapshot: Snapshot, actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The veto, in one place: no rule destroys a Machine that runs a job, unless Fly says it has ended.

    An operator's force is no rule of ours; ``working`` leaves its Machine out.
    """
    running = working(snapshot)
    return tuple(
        action
        for action in actions
        if not isinstance(action, Destroy)
        or action.machine not in running
        or has_ended(snapshot, action.machine)
    )


def _once(actions: tuple[Action, ...]) -> tuple[Action, ...]:
    """The first decision about a Runner or a Machine stands; a later step's repeats are dropped."""
    seen: set[tuple[str, str]] = set()
    kept: list[Action] = []
    for action in actions:
        if isinstance(action, (Retire, Destroy)):
            key = (type(action).__name__, action.runner if isinstance(action, Retire) else action.machine)
            if key in seen:
                continue
            seen.add(key)
        kept.append(action)
    return tuple(kept)
