"""How fast a class's disk is: Fly's published caps, which are the same for every Machine of a size."""

from collections.abc import Mapping
from dataclasses import dataclass

from machines.classes import MachineClass


@dataclass(frozen=True, slots=True)
class Speed:
    """What Fly lets a disk do.

    Attributes:
        iops: operations per second.
        mib_per_second: throughput.
    """

    iops: int
    mib_per_second: int


ROOT = Speed(2000, 8)
"""The root disk, in every size."""

VOLUME: Mapping[tuple[str, int], Speed] = {
    ("shared", 1): Speed(4000, 16),
    ("shared", 4): Speed(8000, 32),
    ("performance", 1): Speed(12_000, 48),
    ("performance", 2): Speed(16_000, 64),
    ("performance", 8): Speed(32_000, 128),
}
"""A volume, by kind and number of CPUs; sizes between two have the smaller one's."""


def disk_speed(machine_class: MachineClass) -> Speed | None:
    """Return the caps of the class's disk, or None for a tmpfs, which has none but the memory's own."""
    if machine_class.disk.kind == "tmpfs":
        return None
    if machine_class.disk.kind == "root":
        return ROOT
    sizes = [cpus for kind, cpus in VOLUME if kind == machine_class.cpu_kind and cpus <= machine_class.cpus]
    return VOLUME[machine_class.cpu_kind, max(sizes)]
