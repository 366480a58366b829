"""Usage: minutes and money over a window, and what of both no job had."""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.text import Untrusted
from runners.wire.times import Time


class UsageRow(Answer):
    """One group; only the fields that were grouped by are set.

    Attributes:
        day: ``YYYY-MM-DD``, UTC.
        jobs: jobs that ran in the window; one that ran over midnight counts on its first day.
        busy_minutes: started Machine time during which a job ran.
        machine_minutes: started Machine time: busy, boot, spare and idle.
        boot_minutes: until it was ready, and from then on until its runner was online.
        spare_minutes: booted, and nobody needed it.
        idle_minutes: its runner was online without a job, or its job was over and it had not ended.
        stopped_minutes: spares that were not started; these pay for their disk only.
        usd: estimated price of all of it.
        busy_usd: of busy time.
        waste_usd: of all other time: boots, spares, and runners without a job.
    """

    pool: str | None = None
    repository: Untrusted | None = None
    workflow: Untrusted | None = None
    machine_class: str | None = None
    region: str | None = None
    day: str | None = None
    jobs: int = Field(0, ge=0)
    busy_minutes: float = 0.0
    machine_minutes: float = 0.0
    boot_minutes: float = 0.0
    spare_minutes: float = 0.0
    idle_minutes: float = 0.0
    stopped_minutes: float = 0.0
    usd: float = 0.0
    busy_usd: float = 0.0
    waste_usd: float = 0.0


class Usage(Answer):
    """What the fleet did and cost.

    Attributes:
        by: what the rows are grouped by.
        rows: dearest first.
        total: over all rows the reader may see.
        truncated: more rows exist than are shown.
    """

    revision: int
    as_of: Time
    since: Time
    until: Time
    by: tuple[str, ...]
    rows: tuple[UsageRow, ...]
    total: UsageRow
    truncated: bool = False
