"""Storms: a class whose Machines end before they are runners is left alone for a while.

A broken image or a runner version that GitHub no longer serves would otherwise be booted again for every
queued job, as fast as it dies. One early end says little; several with no runner online in between hold the
class back, with the Reason of the last end, and then one launch tries it (``places``).
"""

from collections.abc import Iterable, Mapping

from runners.model.reason import Why
from runners.model.snapshot import EarlyExit, Refusal

# Fewer may be one bad host.
ENDS = 3


def storm_refusals(exits: Iterable[EarlyExit], online: Mapping[str, float]) -> tuple[Refusal, ...]:
    """The classes that are refused everywhere because of it.

    Args:
        exits: of the time that refusals are remembered.
        online: by class, when a runner of it last came online.
    """
    by_class: dict[str, list[EarlyExit]] = {}
    for each in exits:
        if each.at > online.get(each.machine_class, 0.0):
            by_class.setdefault(each.machine_class, []).append(each)
    return tuple(
        _refusal(machine_class, ends) for machine_class, ends in sorted(by_class.items()) if len(ends) >= ENDS
    )


def _refusal(machine_class: str, ends: list[EarlyExit]) -> Refusal:
    last = max(ends, key=lambda each: each.at)
    detail = f"the last {len(ends)} Machines of class {machine_class} ended before they were runners"
    return Refusal("", machine_class, last.at, Why(last.reason, detail))
