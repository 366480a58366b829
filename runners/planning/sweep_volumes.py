"""The volumes that no Machine has: what a finished Machine leaves behind, or a launch that failed half-way.

Every volume of a fleet ends here. Its name says whose it is, Fly says which Machine has it, and one that was
just made waits for its Machine: so nothing is deleted before an unbroken series of readings has shown it
alone for ``absence_confirm``, and for as long as a launch may take.
"""

from collections.abc import Iterator

from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.model.timing import Timing
from runners.planning.plan import SweepVolume


def patience(timing: Timing) -> float:
    """Seconds for which readings must have shown a volume alone."""
    return max(timing.absence_confirm, timing.launch_deadline)


def volumes_without_machine(snapshot: Snapshot) -> Iterator[SweepVolume]:
    """Volumes of this fleet that are to be deleted; a list that could not be read deletes none."""
    for app, reading in sorted(snapshot.volumes.items()):
        if reading is None:
            continue
        for volume_id, alone_since in sorted(reading.alone_since.items()):
            why = Why(Reason.VOLUME_WITHOUT_MACHINE, f"no Machine has volume {volume_id}")
            action = SweepVolume(app, volume_id, why)
            again = snapshot.now - snapshot.swept.get(action.swept_as, 0.0) <= snapshot.timing.destroy_again
            if reading.at - alone_since >= patience(snapshot.timing) and not again:
                yield action
