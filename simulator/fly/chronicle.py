"""Writes FlySim's journal so that every line can be judged by itself.

Each entry about a Machine carries its app, name, id, region and pool, and how many Machines live at that
moment in the organization (`live`) and in its pool (`live_pool`): a judge finds a breached cap without
replaying the world.
"""

from typing import Any

from simulator.faults import Fault, Faults
from simulator.fly.machine import SimMachine
from simulator.fly.refusals import FlyRefusal
from simulator.fly.registry import Registry
from simulator.journal import Journal


class Chronicle:
    """The journal and the faults of one FlySim, with the facts filled in."""

    def __init__(self, journal: Journal, faults: Faults, registry: Registry) -> None:
        self._journal = journal
        self._faults = faults
        self._registry = registry

    def record(self, kind: str, machine: SimMachine, **fields: Any) -> None:
        """Write what happened to a Machine."""
        self._journal.record(kind, **self._about(machine), **fields)

    def fire(self, kind: str, machine: SimMachine) -> Fault | None:
        """Fire a fault on a Machine that exists; it matches on any field of the entry, and on skip_launch."""
        return self._faults.fire(kind, **self._about(machine), skip_launch=machine.skip_launch)

    def fire_on_request(self, kind: str, *, app: str, name: str, region: str, pool: str) -> Fault | None:
        """Fire a fault on a create that has not made a Machine."""
        return self._faults.fire(kind, **self._facts(app, name, "", region, pool))

    def refused(
        self, action: str, refusal: FlyRefusal, *, app: str = "", name: str = "", machine_id: str = ""
    ) -> FlyRefusal:
        """Write a refusal (`rate_limited` for 429, else `refused`) and return it to be raised."""
        machine = self._registry.by_id(machine_id)
        about = self._about(machine) if machine else self._facts(app, name, machine_id, "", "")
        kind = "rate_limited" if refusal.status == 429 else "refused"  # noqa: PLR2004 - HTTP's number for it
        self._journal.record(kind, **about, action=action, status=refusal.status, error=refusal.error)
        return refusal

    def _about(self, machine: SimMachine) -> dict[str, Any]:
        return self._facts(machine.app, machine.name, machine.id, machine.region, machine.pool)

    def _facts(self, app: str, name: str, machine_id: str, region: str, pool: str) -> dict[str, Any]:
        live = [m.pool for m in self._registry.live()]
        return {
            "app": app,
            "name": name,
            "id": machine_id,
            "region": region,
            "pool": pool,
            "live": len(live),
            "live_pool": live.count(pool),
        }
