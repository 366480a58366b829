"""Cost: what used time costs, split into what a job had of it and what was waste.

Estimates from Fly's published prices, not invoices; see ``machines/prices.py``.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields

from sqlalchemy import Connection

from runners.store.usage import Used, used

DAY = 86_400.0
HOUR = 3_600.0


@dataclass(frozen=True, slots=True)
class Prices:
    """What a Machine costs per hour, in US dollars.

    Attributes:
        started: by machine class and region; 0 for a class that is not known.
        stopped: by machine class.
        pool: by pool, for classes that are not known any more.
    """

    started: Callable[[str, str], float]
    stopped: Callable[[str], float]
    pool: Callable[[str], float] = lambda _pool: 0.0


@dataclass(frozen=True, slots=True)
class Cost:
    """US dollars, by what they were spent on: the parts of ``runners.store.usage.Used``."""

    busy: float = 0.0
    boot: float = 0.0
    spare: float = 0.0
    idle: float = 0.0
    stopped: float = 0.0

    @property
    def total(self) -> float:
        """All of it."""
        return self.busy + self.waste

    @property
    def waste(self) -> float:
        """What no job had: boots, spares, and runners without a job."""
        return self.boot + self.spare + self.idle + self.stopped

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(Cost)))


def cost_of(one: Used, prices: Prices) -> Cost:
    """What one group's time cost."""
    started = prices.started(one.machine_class, one.region) or prices.pool(one.pool)
    return Cost(
        busy=one.busy_s / HOUR * started,
        boot=one.boot_s / HOUR * started,
        spare=one.spare_s / HOUR * started,
        idle=one.idle_s / HOUR * started,
        stopped=one.stopped_s / HOUR * prices.stopped(one.machine_class),
    )


def by_pool(found: Iterable[Used], prices: Prices) -> dict[str, Cost]:
    """The cost of each pool."""
    costs: dict[str, Cost] = {}
    for one in found:
        costs[one.pool] = costs.get(one.pool, Cost()) + cost_of(one, prices)
    return costs


def today(conn: Connection, now: float, prices: Prices) -> dict[str, Cost]:
    """By pool, what the UTC day has cost so far; a Machine that runs over midnight is cut there."""
    return by_pool(used(conn, now - now % DAY, now), prices)
