"""One pool as answers show it."""

from pydantic import Field

from mcp_server.tools.output import Part
from mcp_server.tools.pools import STATE_WORDS, PoolState, handle, judged, supply
from mcp_server.tools.words import Label, Name, Quoted, Word
from runners.wire.pool import PoolView
from runners.wire.status import FleetStatus
from runners.wire.times import Time


class Held(Part):
    """One reason why supply is held back."""

    reason: Word
    count: int = Field(description="Jobs or spares it holds back.")
    until: Time | None = Field(None, description="When the first of them may be tried again.")
    detail: Quoted | None = Field(None, description="One case of it.")


class SpareCounts(Part):
    """Machines that wait without a job, there and wanted."""

    ready: int = Field(description="Booted.")
    ready_wanted: int
    stopped: int
    stopped_wanted: int


class Money(Part):
    """US dollars of this UTC day; absent without a budget."""

    spent_today_usd: float
    daily_usd: float | None = None
    left_usd: float | None = None


class PoolDetail(Part):
    """Everything about one pool."""

    name: Name
    handle: str
    state: PoolState = Field(description=STATE_WORDS)
    reason: Word | None = Field(None, description="Why it is not open.")
    labels: tuple[Label, ...] = Field(description="What runs-on may say.")
    machine_class: Name
    scope: Name = Field(description="Whose jobs it serves.")
    registration: Word
    apps: tuple[Name, ...] = ()
    regions: tuple[Name, ...]
    public: bool = Field(description="Whether it serves public repositories.")
    fallback: Name | None = Field(None, description="Takes its jobs while it is drained.")
    overrides: tuple[Word, ...] = Field((), description="Settings that an operator has overridden.")
    max_machines: int
    live_machines: int
    room: int = Field(description="Machines its cap still allows.")
    machines: dict[str, int] = Field(description="By state; zeros left out.")
    runners: dict[str, int] = Field(description="By state; zeros left out.")
    spares: SpareCounts
    queued: int
    in_progress: int
    awaiting_approval: int
    oldest_queued_at: Time | None = None
    budget: Money
    usd_per_hour: float = Field(description="One Machine, in its dearest region.")
    held: tuple[Held, ...] = Field((), description="Why supply is held back.")


def pool_detail(pool: PoolView, status: FleetStatus) -> PoolDetail:
    """All there is."""
    state, reason = judged(pool, status)
    return PoolDetail(
        name=pool.name,
        handle=handle(pool.name),
        state=state,
        reason=reason,
        labels=pool.labels,
        machine_class=pool.machine_class,
        scope=pool.scope,
        registration=pool.registration,
        apps=pool.apps,
        regions=pool.regions,
        public=pool.allow_public,
        fallback=pool.fallback,
        overrides=pool.overrides,
        max_machines=pool.max_machines,
        live_machines=pool.live_machines,
        room=pool.room,
        machines=supply(pool.machines),
        runners=supply(pool.runners),
        spares=SpareCounts(
            ready=pool.spares.ready,
            ready_wanted=pool.spares.ready_wanted,
            stopped=pool.spares.stopped,
            stopped_wanted=pool.spares.stopped_wanted,
        ),
        queued=pool.queue.queued,
        in_progress=pool.queue.in_progress,
        awaiting_approval=pool.queue.waiting,
        oldest_queued_at=pool.queue.oldest_queued_at,
        budget=Money.model_validate(pool.budget.model_dump()),
        usd_per_hour=round(pool.usd_per_hour, 4),
        held=tuple(
            Held(
                reason=each.reason,
                count=each.count,
                until=each.until,
                detail=each.text.partition(": ")[2] or None,
            )
            for each in pool.held
        ),
    )
