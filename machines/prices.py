"""What a Machine costs at Fly, in US dollars (Fly's pricing page; figures of 2024 to 2026).

These are estimates for budgets and reports, not invoices: Fly publishes no price API. Where a region is not
known the dearest is assumed, so that a budget errs on the safe side.
"""

from collections.abc import Iterable, Mapping

from machines.classes import MachineClass

HOURS_PER_MONTH = 720.0
"""Fly's prices are per 30 days."""

USD_PER_CPU_MONTH: Mapping[str, float] = {"shared": 0.695, "performance": 21.0}
USD_PER_GB_MEMORY_MONTH = 5.0
USD_PER_GB_ROOTFS_MONTH = 0.15
"""Of a stopped Machine; a started one pays CPU and memory instead."""

USD_PER_GB_VOLUME_MONTH = 0.15
"""Of a volume, whether its Machine is started or stopped. Fly bills whole hours; here it counts by time."""

MARKUP: Mapping[str, float] = {
    "ams": 1.038,
    "arn": 1.038,
    "bom": 1.077,
    "cdg": 1.135,
    "dfw": 1.25,
    "ewr": 1.0,
    "fra": 1.154,
    "gru": 1.615,
    "iad": 1.0,
    "jnb": 1.303,
    "lax": 1.2,
    "lhr": 1.135,
    "nrt": 1.308,
    "ord": 1.25,
    "sin": 1.269,
    "sjc": 1.192,
    "syd": 1.269,
    "yyz": 1.115,
}
"""By region, on the whole of the started price."""


def usd_per_hour(machine_class: MachineClass, region: str) -> float:
    """Return the price of one started Machine per hour, its volume included; Fly bills it per second."""
    cpus = USD_PER_CPU_MONTH[machine_class.cpu_kind] * machine_class.cpus
    memory = USD_PER_GB_MEMORY_MONTH * machine_class.memory_mb / 1024
    started = (cpus + memory) / HOURS_PER_MONTH * MARKUP.get(region, max(MARKUP.values()))
    return started + usd_per_hour_of_volume(machine_class)


def dearest_usd_per_hour(machine_class: MachineClass, regions: Iterable[str]) -> float:
    """Return the price in the dearest of some regions, or of all when none is named."""
    return max(usd_per_hour(machine_class, region) for region in (tuple(regions) or tuple(MARKUP)))


def usd_per_hour_stopped(machine_class: MachineClass) -> float:
    """Return the price of one stopped spare per hour: its disks, the same in every region."""
    rootfs = USD_PER_GB_ROOTFS_MONTH * machine_class.rootfs_gb / HOURS_PER_MONTH
    return rootfs + usd_per_hour_of_volume(machine_class)


def usd_per_hour_of_volume(machine_class: MachineClass) -> float:
    """Return the price of the class's volume per hour; 0 when it has none."""
    return USD_PER_GB_VOLUME_MONTH * machine_class.disk.size_gb / HOURS_PER_MONTH
