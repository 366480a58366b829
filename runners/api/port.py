"""FleetPort: exactly what the API needs of the fleet. fleet.py gives the real one, tests a small stand-in."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from pydantic import SecretStr

from runners.api.changes import Changes
from runners.api.intake import Intake
from runners.control.cost import Prices
from runners.control.loop import LoopHealth
from runners.control.meters import Meters
from runners.model.reason import Why
from runners.model.settings import Settings
from runners.model.snapshot import Snapshot
from runners.planning.forecast import Forecast
from runners.planning.plan import Plan
from runners.store.engine import Store
from runners.upstream.clock import Clock


class PlanView(Protocol):
    """The planner's latest pass; ``runners.control.world.View`` is one."""

    @property
    def snapshot(self) -> Snapshot:
        """What it knew."""

    @property
    def plan(self) -> Plan:
        """What it decided."""

    @property
    def whys(self) -> Mapping[int, Why]:
        """By job id, why the job waits."""

    @property
    def forecasts(self) -> Mapping[int, Forecast]:
        """By job id, when it is expected to start."""


class FleetPort(Protocol):
    """The fleet as the API sees it. Everything is injected; nothing here is a module's state."""

    @property
    def settings(self) -> Settings:
        """fleet.toml."""

    @property
    def store(self) -> Store:
        """Where the rows are."""

    @property
    def clock(self) -> Clock:
        """The one way to tell the time."""

    @property
    def intake(self) -> Intake:
        """The handler of facts, shared with the delivery catch-up and the queue sweep."""

    @property
    def changes(self) -> Changes:
        """Notified after each commit that others may watch; the streams wait on it."""

    @property
    def latest(self) -> PlanView | None:
        """The planner's latest pass, None before the first."""

    @property
    def acts(self) -> bool:
        """Whether it carries its plans out; False for one that only observes and explains."""

    def wake(self, loop: str) -> None:
        """Run a pass of that loop now; ``loops`` has their names."""

    def loops(self) -> Sequence[LoopHealth]:
        """Every loop's health; the planner's is named ``planner``."""

    def blocked(self) -> Mapping[str, float]:
        """By upstream key, until when its breaker or its rate-limit answer lets no call through."""

    def secret(self, name: str) -> SecretStr | None:
        """A credential of the last good reading, or None."""

    def missing_credentials(self) -> Mapping[str, str]:
        """By upstream key (``fly``, ``github:OWNER``, ``webhook`` …), the name of the credential it lacks."""

    def tokens_left(self) -> Mapping[str, float]:
        """By name, seconds that each credential which is known to end has to live."""

    def ageing_credentials(self) -> Mapping[str, float]:
        """By name, seconds left of each credential that should have been replaced by now."""

    @property
    def meters(self) -> Meters:
        """What the dispatcher counts of itself."""

    @property
    def prices(self) -> Prices:
        """What Machines cost."""

    def entropy(self, size: int) -> bytes:
        """That many random bytes."""
