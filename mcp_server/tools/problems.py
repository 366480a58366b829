"""Problems: what is wrong with the fleet as a whole, one entry for each cause whatever it touches."""

from collections.abc import Iterator

from pydantic import Field

from mcp_server.tools.frame import seconds_between
from mcp_server.tools.output import Part
from mcp_server.tools.pools import tells
from mcp_server.tools.words import Brief, Name, Word
from runners.wire.status import FleetStatus, UpstreamView
from runners.wire.times import Time
from runners.wire.why import HeldView

PLANNER = "planner"
VIEW_STALE = "view_stale"
PLAN_STALE = "plan_stale"
"""As the dispatcher's Reason of that name."""
NAMED_MAX = 8
SHOWN_MAX = 10


class Problem(Part):
    """One thing that is wrong."""

    what: Word = Field(description="The cause; a Reason of the fleet, or a word of its own.")
    count: int | None = Field(None, description="Jobs or spares it holds back.")
    where: tuple[Name, ...] = Field((), description="Pools, loops, upstreams or credentials it is about.")
    until: Time | None = Field(None, description="When it should end.")
    detail: Brief | None = Field(None, description="One case of it.")


def problems_of(status: FleetStatus, late_after_s: float, *, stale: bool) -> tuple[Problem, ...]:
    """The gravest first, at most ``SHOWN_MAX``."""
    return tuple(_problems(status, late_after_s, stale=stale))[:SHOWN_MAX]


def plan_is_late(status: FleetStatus, late_after_s: float) -> bool:
    """Whether nobody has decided for so long, so that reasons and forecasts may no longer hold."""
    planner = next((loop for loop in status.loops if loop.name == PLANNER), None)
    if planner is not None and planner.state in ("late", "failing", "starting"):
        return True
    age = seconds_between(status.planned_at, status.as_of)
    return age is None or age > late_after_s


def _problems(status: FleetStatus, late_after_s: float, *, stale: bool) -> Iterator[Problem]:
    if stale:
        yield Problem(what=VIEW_STALE)
    if plan_is_late(status, late_after_s):
        yield Problem(what=PLAN_STALE)
    if status.paused:
        yield Problem(what="fleet_paused")
    yield from _credentials(status.upstreams)
    for upstream in status.upstreams:
        if upstream.blocked_until is not None:
            yield Problem(what="upstream_blocked", where=(upstream.key,), until=upstream.blocked_until)
    for loop in status.loops:
        if loop.state in ("failing", "late"):
            yield Problem(what=f"loop_{loop.state}", where=(loop.name,), detail=loop.last_error or None)
    yield from _held(status.held)
    drained = tuple(pool.name for pool in status.pools if pool.drained)
    if drained:
        yield Problem(what="pool_drained", where=drained[:NAMED_MAX])


def _credentials(upstreams: tuple[UpstreamView, ...]) -> Iterator[Problem]:
    for missing in dict.fromkeys(each.credential_missing for each in upstreams):
        if missing is not None:
            yield Problem(what="credential_missing", where=(missing,))
    for ageing in dict.fromkeys(each.credential_ageing for each in upstreams):
        if ageing is not None:
            yield Problem(what="credential_ageing", where=(ageing,))


def _held(entries: tuple[HeldView, ...]) -> Iterator[Problem]:
    """One entry for each Reason, whatever the number of pools: the one that holds most back first."""
    reasons: dict[str, list[HeldView]] = {}
    for entry in entries:
        if tells(entry) and entry.reason not in ("fleet_paused", "pool_drained", "credential_missing"):
            reasons.setdefault(entry.reason, []).append(entry)
    for reason, group in sorted(reasons.items(), key=lambda item: (-sum(e.count for e in item[1]), item[0])):
        pools = tuple(dict.fromkeys(entry.pool for entry in group if entry.pool))
        yield Problem(
            what=reason,
            count=sum(entry.count for entry in group),
            where=pools[:NAMED_MAX],
            until=min((entry.until for entry in group if entry.until is not None), default=None),
            detail=group[0].text.partition(": ")[2] or None,
        )
