"""FleetStatus: the whole fleet at one revision, as far as the reader may see it."""

from typing import Literal

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.pool import Budget, Counts, PoolView, QueueSummary
from runners.wire.times import Time
from runners.wire.why import HeldView


class UpstreamView(Answer):
    """One upstream that mutating calls go to.

    Attributes:
        key: ``fly:APP`` or ``github:OWNER``.
        blocked_until: when its breaker or its rate-limit answer lets calls through again; null when open.
        credential_missing: name of the credential it lacks, or null.
        credential_ageing: name of a credential that ends soon and was not replaced, or null.
    """

    key: str
    blocked_until: Time | None = None
    credential_missing: str | None = None
    credential_ageing: str | None = None


class LoopView(Answer):
    """One of the dispatcher's loops.

    Attributes:
        state: ``ok``, ``failing`` (the last pass failed), ``late`` (no pass for three periods), ``starting``.
        last_pass_at: when a pass last ended well.
        failures: failed passes since this dispatcher started.
        last_error: the last failure in plain words, empty when the last pass was good.
    """

    name: str
    state: Literal["ok", "failing", "late", "starting"]
    period_s: float
    last_pass_at: Time | None = None
    failures: int = Field(0, ge=0)
    last_error: str = ""


class FleetStatus(Answer):
    """The fleet view.

    Attributes:
        revision: of the event log at this reading; it only grows.
        as_of: when the rows were read.
        planned_at: when the planner last decided; reasons and forecasts are of that time.
        paused: launches nothing; what runs goes on.
        max_machines: cap over all pools.
        budget: the fleet's money today.
        held: what is held back, by reason and pool.
    """

    fleet: str
    revision: int
    as_of: Time
    planned_at: Time | None
    paused: bool
    max_machines: int
    budget: Budget
    queue: QueueSummary
    machines: Counts
    runners: Counts
    pools: tuple[PoolView, ...]
    held: tuple[HeldView, ...]
    upstreams: tuple[UpstreamView, ...]
    loops: tuple[LoopView, ...]
