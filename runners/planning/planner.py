"""``plan(snapshot) -> Plan``: five steps, one file each, each seeing what earlier ones decided.

Held by tests, always: never above a cap, never touching a busy Runner, planning the planned world changes
nothing, and every queued job has supply on its way or a Reason why not (``explain``).
"""

from runners.model.snapshot import Snapshot
from runners.planning.budget import budget
from runners.planning.place import place
from runners.planning.plan import Action, Destroy, Plan, Retire
from runners.planning.provision import provision
from runners.planning.retire import retire
from runners.planning.sweep import sweep
from runners.planning.tally import Tally, tally


def plan(snapshot: Snapshot) -> Plan:
    """What to do now, and what was held back. Total: any Snapshot has a Plan."""
    tallies = tallies_of(snapshot)
    endings = _once((*retire(snapshot, tallies), *sweep(snapshot)))
    ending = frozenset(action.machine for action in endings if isinstance(action, Destroy))
    requests, closed = provision(snapshot, tallies, ending)
    placed, nowhere = place(snapshot, requests)
    actions, unpaid = budget(snapshot, (*endings, *placed))
    return Plan(actions, (*closed, *nowhere, *unpaid))


def tallies_of(snapshot: Snapshot) -> tuple[Tally, ...]:
    """Every pool's books."""
    return tuple(tally(snapshot, pool) for pool in snapshot.pools)


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
