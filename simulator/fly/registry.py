"""Which Machines exist, and which of them a list shows at this moment.

Fly's list lags behind its writes (clients are seen to wait and list again; one product made duplicates
because of it). Here a new Machine appears, and a destroyed one disappears, up to the list lag later.
"""

from collections.abc import Iterator
from typing import Any

from simulator.draws import Draws
from simulator.fly.machine import SimMachine


class Registry:
    """All Machines ever created, in order of creation."""

    def __init__(self) -> None:
        self._by_id: dict[str, SimMachine] = {}

    def add(self, machine: SimMachine) -> None:
        """Enter a new Machine."""
        self._by_id[machine.id] = machine

    def get(self, app: str, machine_id: str) -> SimMachine | None:
        """The Machine of this app with this id, destroyed or not."""
        machine = self._by_id.get(machine_id)
        return machine if machine is not None and machine.app == app else None

    def by_id(self, machine_id: str) -> SimMachine | None:
        """The Machine with this id in any app."""
        return self._by_id.get(machine_id)

    def live_named(self, app: str, name: str) -> SimMachine | None:
        """The live Machine of this app with this name; at most one exists."""
        return next((m for m in self.live() if m.app == app and m.name == name), None)

    def named(self, app: str, name: str) -> int:
        """How many Machines, living and destroyed, have had this name in this app."""
        return sum(1 for m in self if m.app == app and m.name == name)

    def live(self) -> Iterator[SimMachine]:
        """Every Machine that is not destroyed."""
        return (m for m in self if m.live)

    def listed(self, app: str, now: float, *, include_deleted: bool) -> list[SimMachine]:
        """What the list of this app shows now."""
        return [
            m
            for m in self
            if m.app == app
            and m.visible_from <= now
            and (include_deleted or m.hidden_from is None or now < m.hidden_from)
        ]

    def __iter__(self) -> Iterator[SimMachine]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)


def new_machine(
    registry: Registry,
    draws: Draws,
    now: float,
    list_lag: float,
    *,
    app: str,
    name: str,
    region: str,
    config: dict[str, Any],
    skip_launch: bool,
) -> SimMachine:
    """Make a Machine in state created and enter it; a Machine without a name is given one.

    Args:
        registry: receives it.
        draws: its id, address and lag, which depend on its name and on how many had the name before.
        now: Unix seconds.
        list_lag: longest time in real seconds before the list shows it.
        app: its app.
        name: its name, or empty.
        region: where it was placed.
        config: its configuration as sent.
        skip_launch: whether it is created without being started.
    """
    name = name or f"machine-{draws.of('name', len(registry)).getrandbits(32):08x}"
    draw = draws.of("machine", app, name, registry.named(app, name))
    machine = SimMachine(
        id=f"{draw.getrandbits(56):014x}",
        name=name,
        app=app,
        region=region,
        config=config,
        skip_launch=skip_launch,
        instance_id=draws.ulid(now, "instance", app, name, registry.named(app, name)),
        private_ip=f"fdaa:0:1::{draw.getrandbits(16):x}",
        created_at=now,
        updated_at=now,
        visible_from=now + draw.uniform(0.0, list_lag),
    )
    registry.add(machine)
    return machine
