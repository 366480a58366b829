"""Switches that make a simulated world misbehave, each of which proves that it fired.

A scenario that scripts a fault and never meets it has tested nothing. So a fault is armed for a number of
times, each firing is written to the journal with the fault's id, and `unfired` names what is still waiting.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.journal import Journal


@dataclass(slots=True)
class Fault:
    """One armed fault.

    Attributes:
        id: "fault-1", "fault-2", … in the order they were armed.
        kind: which misbehaviour; the simulator's page lists the kinds it knows.
        times: how often it shall fire.
        match: facts that must all be equal at the moment of firing; a fact that is not offered never matches.
        params: figures the misbehaviour needs, such as `{"seconds": 3}`; they take no part in matching.
        fired: how often it has fired.
    """

    id: str
    kind: str
    times: int
    match: Mapping[str, Any]
    params: Mapping[str, Any] = field(default_factory=dict)
    fired: int = 0

    @property
    def left(self) -> int:
        """How often it will still fire."""
        return self.times - self.fired

    def as_json(self) -> dict[str, Any]:
        """The fault as its control route shows it."""
        return {
            "id": self.id,
            "kind": self.kind,
            "times": self.times,
            "fired": self.fired,
            "left": self.left,
            "match": dict(self.match),
            "params": dict(self.params),
        }


class Faults:
    """The armed faults of one simulator.

    Args:
        journal: receives `fault_fired` entries (fields: fault, fault_kind, and the facts it fired on).
        kinds: the kinds this simulator acts on; when given, arming any other kind is refused.
    """

    def __init__(self, journal: Journal, kinds: frozenset[str] | None = None) -> None:
        self._journal = journal
        self._kinds = kinds
        self._armed: list[Fault] = []

    def add(self, kind: str, times: int = 1, params: Mapping[str, Any] | None = None, **match: Any) -> str:
        """Arm a fault and return its id.

        Raises:
            ValueError: `times` is below 1, or this simulator knows no such kind (it would never fire).
        """
        if times < 1:
            raise ValueError(f"a fault fires at least once; got times={times}")
        if self._kinds is not None and kind not in self._kinds:
            raise ValueError(f"no fault {kind!r} here; known: {', '.join(sorted(self._kinds))}")
        fault = Fault(f"fault-{len(self._armed) + 1}", kind, times, dict(match), dict(params or {}))
        self._armed.append(fault)
        return fault.id

    def fire(self, kind: str, **facts: Any) -> Fault | None:
        """Return the oldest armed fault of this kind whose match agrees with the facts, and use it up once.

        Args:
            kind: the misbehaviour the caller is able to act out right now.
            **facts: JSON-ready facts; they also go into the `fault_fired` journal entry.
        """
        for fault in self._armed:
            if fault.kind == kind and fault.left > 0 and _agrees(fault.match, facts):
                fault.fired += 1
                self._journal.record("fault_fired", fault=fault.id, fault_kind=kind, **facts)
                return fault
        return None

    def all(self) -> tuple[Fault, ...]:
        """Every fault ever armed, oldest first."""
        return tuple(self._armed)

    def unfired(self) -> tuple[Fault, ...]:
        """The faults that have not fired as often as was asked."""
        return tuple(fault for fault in self._armed if fault.left > 0)


def _agrees(match: Mapping[str, Any], facts: Mapping[str, Any]) -> bool:
    return all(key in facts and facts[key] == value for key, value in match.items())
