"""What the sweep step would end by one Snapshot: now, and once a second reading has agreed."""

from dataclasses import dataclass, replace

from runners.model.nouns import Machine, Runner
from runners.model.snapshot import Snapshot
from runners.planning.plan import Action, Destroy, Retire, SweepMachine, SweepRegistration, SweepVolume
from runners.planning.sweep import has_ended, sweep, working
from runners.planning.sweep_volumes import patience

# Two readings that need not be apart at all: what is only suspected comes out, too.
_AT_ONCE = 1e-6


@dataclass(frozen=True, slots=True)
class Find:
    """One thing that has lost its partner.

    Attributes:
        action: what the planner does about it.
        confirmed: it does so at its next pass.
        confirmed_at: else, from when a reading can confirm it; None when that rests on something else.
    """

    action: Action
    confirmed: bool
    confirmed_at: float | None


def preview(snapshot: Snapshot) -> tuple[Find, ...]:
    """Everything that is confirmed, then everything that is suspected. What runs a job is neither."""
    sure = _allowed(snapshot)
    impatient = snapshot.timing.model_copy(update={"absence_confirm": _AT_ONCE, "launch_deadline": _AT_ONCE})
    known = {_key(action) for action in sure}
    suspected = [
        action for action in _allowed(replace(snapshot, timing=impatient)) if _key(action) not in known
    ]
    return (
        *(Find(action, True, None) for action in sure),
        *(Find(action, False, _confirmed_at(snapshot, action)) for action in suspected),
    )


def place_of(snapshot: Snapshot, action: Action) -> tuple[str, str, str]:
    """What kind of thing it is, its name, and its app or scope."""
    match action:
        case SweepMachine(app, _, name, _):
            return "machine", name, app
        case SweepRegistration(scope, _, name, _):
            return "registration", name, scope
        case SweepVolume(app, volume_id, _):
            return "volume", volume_id, app
        case Retire(name, _):
            runner: Runner | None = next((each for each in snapshot.runners if each.name == name), None)
            return "runner", name, "" if runner is None else runner.scope
        case Destroy(name, _):
            row: Machine | None = next((each for each in snapshot.machines if each.name == name), None)
            return "row", name, "" if row is None else row.app
        case _:
            raise TypeError(f"a sweep does not {type(action).__name__}")


def _allowed(snapshot: Snapshot) -> list[Action]:
    """The sweep's actions, less those that the planner would not let pass."""
    running = working(snapshot)
    found: dict[tuple[str, str], Action] = {}
    for action in sweep(snapshot):
        spared = isinstance(action, Destroy) and action.machine in running
        if not spared or has_ended(snapshot, place_of(snapshot, action)[1]):
            found.setdefault(_key(action), action)
    return list(found.values())


def _key(action: Action) -> tuple[str, str]:
    keys = ("name", "machine", "runner", "volume_id")
    name = next((getattr(action, key) for key in keys if hasattr(action, key)), "")
    return type(action).__name__, name


def _confirmed_at(snapshot: Snapshot, action: Action) -> float | None:
    first: float | None = None
    if isinstance(action, SweepMachine):
        machines = snapshot.fly.get(action.app)
        first = None if machines is None else machines.machines[action.name].first_seen_at
    elif isinstance(action, SweepRegistration):
        registrations = snapshot.github.get(action.scope)
        first = None if registrations is None else registrations.runners[action.name].first_seen_at
    elif isinstance(action, SweepVolume):
        volumes = snapshot.volumes.get(action.app)
        alone_since = None if volumes is None else volumes.alone_since[action.volume_id]
        return None if alone_since is None else alone_since + patience(snapshot.timing)
    return None if first is None else first + snapshot.timing.absence_confirm
