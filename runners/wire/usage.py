"""Usage: minutes and money over a window, by pool, repository, workflow or day."""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.text import Untrusted
from runners.wire.times import Time


class UsageRow(Answer):
    """One group; only the fields that were grouped by are set.

    Attributes:
        day: ``YYYY-MM-DD``, UTC.
        jobs: jobs that started in the window.
        busy_minutes: Machine time during which a job ran.
        machine_minutes: Machine time, boot and idle included.
        usd: price of the Machine time.
    """

    pool: str | None = None
    repository: Untrusted | None = None
    workflow: Untrusted | None = None
    day: str | None = None
    jobs: int = Field(0, ge=0)
    busy_minutes: float = 0.0
    machine_minutes: float = 0.0
    usd: float = 0.0


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
