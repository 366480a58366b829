"""Places that refused a launch: closed for a while, then tried by one launch alone, then open again.

A full region, an app that Fly refuses and a class whose Machines end before they are runners are all left
alone for ``capacity_memory``. To send everything that waits there when that is over would meet the same
refusal with each of them. So one launch goes first; the others take another place or wait the moment that its
verdict takes: a create that is answered opens an app or a region, a runner that comes online opens a class.
"""

from runners.model.nouns import Machine
from runners.model.reason import Why
from runners.model.snapshot import Refusal, Snapshot

# An app and a region; "" stands for all of them.
Place = tuple[str, str]
EVERYWHERE: Place = ("", "")
# A place is on trial until a launch has shown that it works, or for this many ``capacity_memory`` at most.
TRIAL_MEMORIES = 8


class Places:
    """What of a Snapshot's places may be asked now. ``enter`` notes what this plan sends where.

    Args:
        snapshot: its refusals are those of the last TRIAL_MEMORIES.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._refusals: dict[tuple[str, Place], Refusal] = {}
        for refusal in sorted(snapshot.refusals, key=lambda refusal: refusal.at):
            if snapshot.now - refusal.at < TRIAL_MEMORIES * snapshot.timing.capacity_memory:
                self._refusals[refusal.machine_class, (refusal.app, refusal.region)] = refusal
        self._entered: set[tuple[str, Place]] = set()

    def refused(self, machine_class: str, place: Place) -> bool:
        """Whether it is closed or on trial."""
        return (machine_class, place) in self._refusals

    def closed(self, machine_class: str, place: Place, *, boots: bool = True) -> Why | None:
        """Why this class may not be launched there now, or None when it may.

        Args:
            machine_class: of the launch.
            place: where.
            boots: False for a stopped spare, which would not show whether its class works.
        """
        refusal = self._refusals.get((machine_class, place))
        if refusal is None:
            return None
        timing, why = self._snapshot.timing, refusal.why
        opens = refusal.at + timing.capacity_memory
        if self._snapshot.now < opens:
            return Why(why.reason, why.detail, opens)
        on_trial = any(_tries(refusal, opens, machine) for machine in self._snapshot.machines)
        if on_trial or (machine_class, place) in self._entered or (place == EVERYWHERE and not boots):
            detail = f"{why.detail}; one launch tries it again first"
            return Why(why.reason, detail, self._snapshot.now + timing.launch_deadline)
        return None

    def enter(self, machine_class: str, place: Place) -> None:
        """Note that a launch goes there: if the place is on trial, no other follows in this plan."""
        if self.refused(machine_class, place):
            self._entered.add((machine_class, place))


def _tries(refusal: Refusal, opens: float, machine: Machine) -> bool:
    """Whether a Machine is out to try a place that opened at ``opens``, without a verdict yet.

    A create that was answered has its id, and its refusal is gone; a class proves itself by a runner online.
    """
    if machine.machine_class != refusal.machine_class or machine.requested_at < opens:
        return False
    if not refusal.region and not refusal.app:
        return machine.boot is not None and machine.destroy_sent_at is None
    return (
        refusal.region in ("", machine.region) and refusal.app in ("", machine.app) and machine.fly_id is None
    )
