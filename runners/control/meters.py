"""Meters: what a dispatcher counts of itself for its metrics; none of it decides anything."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from runners.planning.plan import Plan
from runners.upstream.breaker import BreakerState
from runners.upstream.tally import CallTally


@dataclass(frozen=True, slots=True)
class Meters:
    """Counters of one dispatcher, from its start.

    Attributes:
        calls: every call to an upstream.
        breakers: by upstream key, what its breaker does with the next call.
        quota: by owner, the share of the hourly GitHub quota that is left, None when not known.
        plans: passes of the planner, by whether they were carried out.
        actions: what the plans that were carried out did, by kind: ``launch``, ``retire`` …
        webhooks: deliveries that were taken, by the Reason they were answered with.
        refused_webhooks: those that were not, likewise.
    """

    calls: CallTally = field(default_factory=CallTally)
    breakers: Callable[[], Mapping[str, BreakerState]] = dict
    quota: Callable[[str], float | None] = lambda _owner: None
    plans: Counter[str] = field(default_factory=Counter)
    actions: Counter[str] = field(default_factory=Counter)
    webhooks: Counter[str] = field(default_factory=Counter)
    refused_webhooks: Counter[str] = field(default_factory=Counter)

    def planned(self, plan: Plan, *, carried_out: bool) -> None:
        """Count one pass of the planner."""
        self.plans["carried_out" if carried_out else "explained"] += 1
        if carried_out:
            self.actions.update(_snake(type(action).__name__) for action in plan.actions)


def _snake(name: str) -> str:
    """``SweepMachine`` as ``sweep_machine``."""
    return "".join(f"_{char.lower()}" if char.isupper() else char for char in name).lstrip("_")
