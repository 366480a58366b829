"""Storms: a class whose Machines end before they are runners is left alone for a while.

A broken image or a runner version that GitHub no longer serves would otherwise be booted again for every
queued job, as fast as it dies. One early end says little; several in a short time hold the class back on all
apps, with the Reason of the last end, and then it is tried again.
"""

from collections.abc import Iterable

from runners.model.reason import Why
from runners.model.settings import PoolSettings
from runners.model.snapshot import EarlyExit, Refusal

# Fewer may be one bad host.
ENDS = 3


def storm_refusals(exits: Iterable[EarlyExit], pools: Iterable[PoolSettings]) -> tuple[Refusal, ...]:
    """The apps that refuse a class because of it, for the exits of the last ``capacity_memory`` seconds."""
    by_class: dict[str, list[EarlyExit]] = {}
    for each in exits:
        by_class.setdefault(each.machine_class, []).append(each)
    apps = {(app, pool.class_name) for pool in pools for app in pool.apps}
    return tuple(
        _refusal(app, machine_class, by_class[machine_class])
        for app, machine_class in sorted(apps)
        if len(by_class.get(machine_class, ())) >= ENDS
    )


def _refusal(app: str, machine_class: str, exits: list[EarlyExit]) -> Refusal:
    last = max(exits, key=lambda each: each.at)
    detail = f"the last {len(exits)} Machines of class {machine_class} ended before they were runners"
    return Refusal("", machine_class, last.at, Why(last.reason, detail), app)
