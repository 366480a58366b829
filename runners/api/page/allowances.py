"""Allowances: each upstream's breaker, and what is left of its budgets, as the plan and the answers count."""

from collections.abc import Iterator
from dataclasses import dataclass

from runners.api.port import FleetPort
from runners.planning.buckets import creates_left, writes_left
from runners.upstream.breaker import BreakerState
from runners.wire.status import FleetStatus, UpstreamView

FLY = "fly"


@dataclass(frozen=True, slots=True)
class Allowance:
    """One upstream.

    Attributes:
        breaker: what it does with the next call.
        left: calls that change something and may go out now; None before the planner's first pass.
        whole: how many a full budget has.
        unit: what is counted.
        quota: share of GitHub's hourly quota that is left, None where there is none or nobody knows.
    """

    upstream: UpstreamView
    breaker: str
    left: int | None
    whole: int
    unit: str
    quota: float | None


def allowances(status: FleetStatus, port: FleetPort) -> tuple[Allowance, ...]:
    """One for each upstream that the status names."""
    return tuple(_allowances(status, port))


def _allowances(status: FleetStatus, port: FleetPort) -> Iterator[Allowance]:
    breakers = port.meters.breakers()
    for upstream in status.upstreams:
        kind, _, name = upstream.key.partition(":")
        left, whole, unit = _budget(kind, name, port)
        yield Allowance(
            upstream=upstream,
            breaker=str(breakers.get(upstream.key, BreakerState.CLOSED)),
            left=left,
            whole=whole,
            unit=unit,
            quota=None if kind == FLY else port.meters.quota(name),
        )


def _budget(kind: str, name: str, port: FleetPort) -> tuple[int | None, int, str]:
    if port.latest is None:
        return None, 0, ""
    snapshot = port.latest.snapshot
    if kind == FLY:
        return max(0, int(creates_left(snapshot, name))), snapshot.limits.create_burst, "creates"
    return max(0, writes_left(snapshot, name)), snapshot.limits.writes_per_minute, "writes a minute"
