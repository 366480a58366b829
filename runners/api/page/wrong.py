"""Wrong: what is not as it should be, worst first: what fails, then what is held back, then what was ordered.

A pure reading of the FleetStatus that everybody gets; nothing is judged here that its Reasons do not say.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from runners.api.page.orders import FLEET, Order
from runners.model.groups import TRUST
from runners.model.incidents import INCIDENTS
from runners.model.reason import Reason
from runners.wire.status import FleetStatus
from runners.wire.times import Time
from runners.wire.why import HeldView

Level = Literal["failing", "held", "ordered"]
LEVELS: Mapping[Level, str] = {"failing": "Failing", "held": "Held back", "ordered": "By order"}
# The first two are said by the order itself, with who and why; a spare that leaves room to a job is as it
# should be.
_SAID_ELSEWHERE = frozenset({str(Reason.POOL_DRAINED), str(Reason.FLEET_PAUSED), str(Reason.DEMAND)})


@dataclass(frozen=True, slots=True)
class Problem:
    """One line of what is wrong.

    Attributes:
        key: the same for the same problem in a later reading.
        what: one sentence.
        more: particulars, which may hold other people's text.
        until: when it is expected to end; None when nobody can say.
    """

    level: Level
    key: str
    what: str
    more: str = ""
    until: Time | None = None

    @property
    def word(self) -> str:
        """The level in words."""
        return LEVELS[self.level]


def wrong(status: FleetStatus, orders: Mapping[str, Order]) -> tuple[Problem, ...]:
    """Every Problem, worst first."""
    order = list(LEVELS)
    found = (*_loops(status), *_upstreams(status), *_held(status), *_ordered(status, orders))
    return tuple(sorted(found, key=lambda each: order.index(each.level)))


def _loops(status: FleetStatus) -> Iterator[Problem]:
    if status.planned_at is None:
        yield Problem("failing", "planner", "The planner has not decided anything yet.")
    for loop in status.loops:
        if loop.state == "failing":
            more = loop.last_error or "its log has the particulars"
            yield Problem("failing", f"loop-{loop.name}", f"The loop {loop.name} fails.", more)
        elif loop.state == "late":
            yield Problem("failing", f"loop-{loop.name}", f"The loop {loop.name} is late.")


def _upstreams(status: FleetStatus) -> Iterator[Problem]:
    told: set[str] = set()
    for each in status.upstreams:
        if each.credential_missing is not None:
            what = f"{each.key} cannot be called: the credential {each.credential_missing} is missing."
            yield Problem("failing", f"credential-{each.key}", what)
        elif each.credential_ageing is not None and each.credential_ageing not in told:
            told.add(each.credential_ageing)
            what = f"{each.credential_ageing} ends soon and was not replaced; it works until then."
            yield Problem("failing", f"ageing-{each.credential_ageing}", what)
        if each.blocked_until is not None:
            what = f"{each.key} is not called: its breaker is open or it asked us to wait."
            yield Problem("failing", f"blocked-{each.key}", what, until=each.blocked_until)


def _held(status: FleetStatus) -> Iterator[Problem]:
    """One for each reason in the same words, with the pools in which it holds something back."""
    groups: dict[tuple[str, str], list[HeldView]] = {}
    for each in status.held:
        if each.reason not in _SAID_ELSEWHERE:
            groups.setdefault((each.reason, each.text), []).append(each)
    for (reason, text), group in groups.items():
        level: Level = "failing" if reason in INCIDENTS else "held"
        until = min((each.until for each in group if each.until is not None), default=None)
        key = f"held-{reason}-{group[0].pool}"
        if reason in TRUST:
            more = f"Nothing is launched in {', '.join(each.pool for each in group)}."
        else:
            more = f"Holds back {_amounts(group)}."
        yield Problem(level, key, f"{text}.", more, until)


def _ordered(status: FleetStatus, orders: Mapping[str, Order]) -> Iterator[Problem]:
    if status.paused:
        yield Problem("ordered", "paused", "The fleet is paused: it launches nothing.", _whose(orders, FLEET))
    for pool in status.pools:
        if pool.drained:
            queued = pool.queue.queued
            waits = "" if not queued else f" {queued} queued {'job waits' if queued == 1 else 'jobs wait'}."
            what = f"Pool {pool.name} is drained: it takes no new work.{waits}"
            yield Problem("ordered", f"drained-{pool.name}", what, _whose(orders, pool.name))


def _amounts(group: Sequence[HeldView]) -> str:
    """``2 in gha-small, 1 in gha-large``: of jobs, spares, and removals that have to wait."""
    return ", ".join(f"{each.count} in {each.pool}" if each.pool else f"{each.count}" for each in group)


def _whose(orders: Mapping[str, Order], target: str) -> str:
    order = orders.get(target)
    if order is None:
        return ""
    return f"By {order.by}: {order.words}" if order.words else f"By {order.by}."
