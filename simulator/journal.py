"""A simulator's own log: the judge of every demo and scenario.

The product's store says what the product believes; this log says what happened to the world. It is
append-only, numbered without gaps, and every entry is JSON-ready: a judge in another process reads the
same words.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from simulator.clock import Clock

RESERVED = frozenset({"seq", "at", "kind"})


class Journal:
    """An append-only list of what happened, in order.

    Args:
        clock: tells the `at` of each entry, in Unix seconds.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._entries: list[dict[str, Any]] = []

    def record(self, kind: str, **fields: Any) -> Mapping[str, Any]:
        """Append one entry `{seq, at, kind, **fields}` and return it.

        Args:
            kind: what happened, as a snake_case past participle ("machine_created").
            **fields: JSON-ready facts about it.

        Raises:
            ValueError: a field would hide `seq`, `at` or `kind`.
        """
        if taken := RESERVED & fields.keys():
            raise ValueError(f"journal fields {sorted(taken)} are set by the journal itself; rename yours")
        entry = {"seq": len(self._entries) + 1, "at": self._clock.now(), "kind": kind, **fields}
        self._entries.append(entry)
        return entry

    @property
    def last_seq(self) -> int:
        """The number of the newest entry; 0 while nothing has happened."""
        return len(self._entries)

    def after(self, seq: int = 0) -> list[Mapping[str, Any]]:
        """All entries numbered above `seq`, oldest first."""
        return list(self._entries[max(0, seq) :])

    def of(self, kind: str, **match: Any) -> list[Mapping[str, Any]]:
        """All entries of one kind whose fields equal `match`, oldest first."""
        return [entry for entry in self if entry["kind"] == kind and _agrees(entry, match)]

    def __iter__(self) -> Iterator[Mapping[str, Any]]:
        return iter(tuple(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def _agrees(entry: Mapping[str, Any], match: Mapping[str, Any]) -> bool:
    return all(key in entry and entry[key] == value for key, value in match.items())
