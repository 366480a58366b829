"""Judges exchanges by the published document first, and by the overlay only where that is not enough."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.contracts.deviations import Deviation, overlaid
from tests.contracts.exchange import Exchange
from tests.contracts.openapi import Contract


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with an exchange, and which deviations it could not do without."""

    exchange: Exchange
    operation: str
    problems: tuple[str, ...]
    needed: frozenset[Deviation] = frozenset()

    def __str__(self) -> str:
        return f"{self.exchange.line}: {'; '.join(self.problems)}"


class Judge:
    """One document with its overlay."""

    def __init__(self, document: Mapping[str, Any], deviations: Iterable[Deviation]) -> None:
        self._document = document
        self.deviations = tuple(deviations)
        self.published = Contract(document)
        self._with_all = Contract(overlaid(document, self.deviations))
        self._without: dict[Deviation, Contract] = {}

    def judge(self, exchange: Exchange) -> Verdict:
        """The verdict; a deviation is needed when the exchange fails without it and passes with the rest."""
        found = self.published.find(exchange.method, exchange.path)
        operation = found[0].key if found else ""
        if not self.published.problems(exchange):
            return Verdict(exchange, operation, ())
        problems = tuple(self._with_all.problems(exchange))
        if problems:
            return Verdict(exchange, operation, problems)
        touching = [one for one in self.deviations if one.touches(operation)]
        needed = [one for one in touching if self._all_but(one).problems(exchange)]
        return Verdict(exchange, operation, (), frozenset(needed))

    def _all_but(self, left_out: Deviation) -> Contract:
        if left_out not in self._without:
            rest = [one for one in self.deviations if one != left_out]
            self._without[left_out] = Contract(overlaid(self._document, rest))
        return self._without[left_out]
