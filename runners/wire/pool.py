"""PoolView: one pool's capacity against its caps, its queue, its spares and its money."""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.times import Time
from runners.wire.why import HeldView

Counts = dict[str, int]
"""Rows by state; every state is present, so that a zero is said and not implied."""


class QueueSummary(Answer):
    """Jobs that have not completed.

    Attributes:
        waiting: for an approval or a wait timer at GitHub; nothing boots for these.
        queued: for a runner.
        in_progress: running.
        oldest_queued_at: when the longest-waiting queued job became queued.
    """

    waiting: int = Field(0, ge=0)
    queued: int = Field(0, ge=0)
    in_progress: int = Field(0, ge=0)
    oldest_queued_at: Time | None = None


class Spares(Answer):
    """Machines without a Runner, wanted and there.

    Attributes:
        stopped_wanted: stopped spares to keep.
        stopped: stopped spares there are.
        ready_wanted: booted spares to keep.
        ready: booted spares that wait in the claim poll.
        outdated: those of both that are of an older image or class; each stays until a new one is in place.
    """

    stopped_wanted: int = Field(ge=0)
    stopped: int = Field(ge=0)
    ready_wanted: int = Field(ge=0)
    ready: int = Field(ge=0)
    outdated: int = Field(0, ge=0)


class Budget(Answer):
    """US dollars of one UTC day; ``daily_usd`` and ``left_usd`` are null without a budget."""

    daily_usd: float | None
    spent_today_usd: float
    left_usd: float | None


class PoolView(Answer):
    """One pool as it stands now, operator overrides applied.

    Attributes:
        labels: what a job's labels must be a subset of.
        scope: where its runners register.
        max_machines: cap on Machines of any state.
        live_machines: Machines that count against the cap.
        room: how many more the pool's own cap allows.
        machines: Machines by state. This is capacity: it counts what serves anybody.
        runners: Runners by state, as far as the reader may see them.
        usd_per_hour: one started Machine in the dearest of its regions.
        drained: takes no new work.
        overrides: names of the settings an operator has overridden.
        held: what is held back here, by reason.
    """

    name: str
    labels: tuple[str, ...]
    scope: str
    machine_class: str
    registration: str
    apps: tuple[str, ...]
    regions: tuple[str, ...]
    allow_public: bool
    fallback: str | None
    drained: bool
    overrides: tuple[str, ...]
    max_machines: int
    live_machines: int
    room: int
    machines: Counts
    runners: Counts
    spares: Spares
    queue: QueueSummary
    budget: Budget
    usd_per_hour: float
    held: tuple[HeldView, ...]


class PoolList(Answer):
    """Every pool the reader may see, in configuration order."""

    revision: int
    as_of: Time
    pools: tuple[PoolView, ...]
