"""Spares: Machine rows without a Runner. Which may be started now, which never will be, which are stale.

Fly's documentation does not say what becomes of a Machine created with ``skip_launch``. It may turn
``stopped`` within seconds, or stay ``created``, a start being refused until its image is in place; both are
served here.
"""

from collections import Counter
from collections.abc import Iterable

from runners.model.nouns import Machine
from runners.model.reason import Reason, Why
from runners.model.snapshot import Pool, SeenMachine, Snapshot
from runners.model.states import MachineState

# A spare that Fly would not start this often is not going to.
START_TRIES = 3
# One refused start says little of the other spares: hosts differ, and so does how far Fly is with each. A
# second one says that starts in this region are in trouble. So a job meets at most two before it gets a new
# Machine, and one bad host costs nobody else's warmth.
REFUSED_STARTS = 2

_NOT_RUNNING = frozenset({"created", "stopped"})


def startable(snapshot: Snapshot, spares: Iterable[Machine]) -> tuple[Machine, ...]:
    """The stopped spares of these that may be started now; a job does not wait for one that may not.

    Its app must be open and Fly must have it in place. After a start that was refused it rests for a while.
    Where several others were refused just now it would likely be, too, and where a start was lost, which
    shows only much later, no job is let in for a second one.
    """
    asked = tuple(spares)
    if not asked:
        return ()
    resting = Counter(
        other.region
        for other in snapshot.machines
        if other.state is MachineState.STOPPED and _rests(snapshot, other)
    )
    lost = {other.app for other in snapshot.machines if start_was_lost(snapshot, other)}
    blocked = snapshot.limits.blocked_until
    return tuple(
        spare
        for spare in asked
        if blocked.get(f"fly:{spare.app}", 0.0) <= snapshot.now
        and spare.app not in lost
        and resting[spare.region] < REFUSED_STARTS
        and not _rests(snapshot, spare)
        and (spare.boot is not None or is_in_place(snapshot, spare))
        and is_reachable(snapshot, spare)
    )


def _rests(snapshot: Snapshot, spare: Machine) -> bool:
    """Whether its start was refused lately; one whose host was full is replaced and not asked again."""
    if spare.boot is None:
        return False
    timing = snapshot.timing
    rest = timing.start_again if spare.reason is Reason.LAUNCH_NOT_READY else timing.capacity_memory
    return host_was_full(spare) or snapshot.now - spare.state_at <= rest


def stale(snapshot: Snapshot, pool: Pool, machine: Machine) -> Why | None:
    """Why a spare is to be replaced by and by, or None; see ``rollover``."""
    class_name = pool.settings.class_name
    if machine.image != snapshot.image:
        return Why(Reason.SPARE_OUTDATED, "its image is no longer the pool's")
    if machine.machine_class != class_name:
        return Why(Reason.SPARE_OUTDATED, f"the pool's machine class is {class_name} now")
    if machine.fingerprint != snapshot.fingerprints.get(class_name):
        return Why(Reason.SPARE_OUTDATED, f"the file of machine class {class_name} has changed")
    if not is_reachable(snapshot, machine):
        return Why(Reason.HOST_UNREACHABLE, "Fly cannot reach its host")
    if snapshot.now - machine.requested_at > snapshot.timing.spare_max_age:
        return Why(Reason.TOO_OLD, f"a spare older than {snapshot.timing.spare_max_age:g} s")
    return None


def is_reachable(snapshot: Snapshot, machine: Machine) -> bool:
    """Whether nothing says that its host cannot be reached; hosts may be gone for hours and then return."""
    seen = _seen(snapshot, machine)
    return seen is None or seen.host_ok


def is_in_place(snapshot: Snapshot, spare: Machine) -> bool:
    """Whether Fly has prepared a spare: its list shows it stopped, or it has been created long enough."""
    seen = _seen(snapshot, spare)
    if seen is not None and seen.state == "stopped":
        return True
    return snapshot.now - spare.requested_at > snapshot.timing.spare_settle


def host_was_full(spare: Machine) -> bool:
    """Whether it is stopped because its host had no room to start it."""
    refused = spare.state is MachineState.STOPPED and spare.reason is Reason.LAUNCH_NO_CAPACITY
    return refused and spare.boot is not None


def never_starts(spare: Machine) -> bool:
    """Whether Fly would not start it each time it was asked; each start is a Boot of its own."""
    boot = spare.boot
    refused = spare.state is MachineState.STOPPED and spare.reason is Reason.LAUNCH_NOT_READY
    return refused and boot is not None and boot.seq >= START_TRIES


def start_was_lost(snapshot: Snapshot, machine: Machine) -> bool:
    """Whether a spare's start never reached Fly: its list, asked well after it, still shows it at rest.

    A dispatcher that died before the call leaves this, or a call without an answer, as when its host cannot
    be reached. A cold Machine is ``created`` until it runs, so of one this says nothing.
    """
    boot, reading, seen = machine.boot, snapshot.fly.get(machine.app), _seen(snapshot, machine)
    if machine.state is not MachineState.STARTING or boot is None or reading is None or seen is None:
        return False
    if boot.launched_at <= machine.requested_at or boot.started_at is not None or boot.ready_at is not None:
        return False
    return seen.state in _NOT_RUNNING and reading.at - boot.launched_at > snapshot.timing.launch_deadline


def _seen(snapshot: Snapshot, machine: Machine) -> SeenMachine | None:
    reading = snapshot.fly.get(machine.app)
    return None if reading is None else reading.machines.get(machine.name)
