"""Failing: which calls fail again and again in the same way, so that a storm is one incident with a count.

A call is the same when caller, tool, masked arguments and refusing rule are. A table has a bound: when a
flood of different failures fills it, those that occurred least are forgotten first; a storm never is.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

TABLE_MAX = 1024
"""Kept while the hour lasts; half of it after a flood."""
KEPT = 100
"""Kept of an hour or day that is over."""


class Failure(NamedTuple):
    """What makes two failing calls the same.

    Attributes:
        project: of the caller; "" when nobody knows who asked.
        caller: their id.
        tool: as statistics name it.
        rule: what refused it.
        digest: of the masked arguments.
    """

    project: str
    caller: str
    tool: str
    rule: str
    digest: str


@dataclass(slots=True)
class Occurrences:
    """How often one failure occurred, and when first and last, in Unix seconds."""

    count: int
    first_at: float
    last_at: float


class Failing:
    """The failures of an hour, a day or a window."""

    __slots__ = ("table",)

    def __init__(self) -> None:
        self.table: dict[Failure, Occurrences] = {}

    def count(self, failure: Failure, times: int, at: float) -> int:
        """Note so many failures at once; how many of them were repeats of one before."""
        known = self.table.get(failure)
        if known is not None:
            known.count += times
            known.first_at, known.last_at = min(known.first_at, at), max(known.last_at, at)
            return times
        if len(self.table) >= TABLE_MAX:
            self.table = dict(self._largest(TABLE_MAX // 2))
        self.table[failure] = Occurrences(times, at, at)
        return times - 1

    def add(self, failure: Failure, told: Occurrences) -> None:
        """Add what another table says of one failure."""
        known = self.table.get(failure)
        if known is None:
            self.table[failure] = Occurrences(told.count, told.first_at, told.last_at)
            return
        known.count += told.count
        known.first_at = min(known.first_at, told.first_at)
        known.last_at = max(known.last_at, told.last_at)

    def add_all(self, others: Iterable["Failing"]) -> None:
        """Add other tables."""
        for other in others:
            for failure, told in other.table.items():
                self.add(failure, told)

    def kept(self) -> "Failing":
        """The part that is kept when the hour or day is over."""
        part = Failing()
        part.table = dict(self._largest(KEPT))
        return part

    def _largest(self, number: int) -> list[tuple[Failure, Occurrences]]:
        ranked = sorted(self.table.items(), key=lambda item: (-item[1].count, -item[1].last_at, item[0]))
        return ranked[:number]


def digest(arguments: Mapping[str, Any]) -> str:
    """A short name for masked arguments, whatever their order."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=8).hexdigest()
