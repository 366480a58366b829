"""GET /v1/usage: minutes and money over a window, by pool, repository, workflow, class, region and day.

The database sums; what is left here is to hide, to price, and to add up by what was asked for.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.lookups import DAY_S, Moment, Question, window
from runners.api.sight import Sight
from runners.control.cost import Cost, Prices, cost_of
from runners.model.settings import Settings
from runners.store import events, usage
from runners.store.usage import Used
from runners.wire.times import rfc3339
from runners.wire.usage import Usage, UsageRow

router = APIRouter(prefix="/v1", tags=["read"])
DAYS_MAX = 92
ROWS_MAX = 1000
_DATE = len("2026-01-01")

Group = Literal["pool", "repository", "workflow", "class", "region", "day"]
# What a row calls what it is grouped by, where that is not a name Python may have.
_FIELDS: dict[Group, str] = {"class": "machine_class"}


class UsageQuestion(Question):
    """Which usage.

    Attributes:
        since: RFC 3339 or Unix seconds; a day before ``until`` when not given.
        until: likewise; now when not given.
        by: what to group by; several may be given.
    """

    since: Moment | None = None
    until: Moment | None = None
    by: tuple[Group, ...] = ("pool",)


@dataclass
class _Sum:
    jobs: int = 0
    busy_s: float = 0.0
    boot_s: float = 0.0
    spare_s: float = 0.0
    idle_s: float = 0.0
    stopped_s: float = 0.0
    cost: Cost = field(default_factory=Cost)


@router.get("/usage")
async def usage_page(fleet: Fleet, viewer: MayRead, question: Annotated[UsageQuestion, Query()]) -> Usage:
    """What was used and what it cost: what jobs had of it, and apart from that what they did not."""
    now = fleet.clock.now()
    asked = window(question.since, question.until, now, days=DAYS_MAX, attempted="GET /v1/usage")
    by = tuple(dict.fromkeys(question.by))

    def op(conn: Connection) -> tuple[int, tuple[Used, ...]]:
        return events.revision(conn), usage.used(conn, asked.since, asked.until, by_day="day" in by)

    revision, found = await fleet.store.run(op)
    seen = tuple(_seen(found, viewer.sight, fleet.settings))
    rows = _rows(seen, by, fleet.prices)
    total = _rows(seen, (), fleet.prices)
    return Usage(
        revision=revision,
        as_of=rfc3339(now),
        since=rfc3339(asked.since),
        until=rfc3339(asked.until),
        by=by,
        rows=rows[:ROWS_MAX],
        total=total[0] if total else UsageRow(),
        truncated=len(rows) > ROWS_MAX,
    )


def _seen(found: Iterable[Used], sight: Sight, settings: Settings) -> Iterator[Used]:
    """A token limited to repositories sees its jobs' time; idle time belongs to no repository."""
    if sight.everything:
        yield from found
        return
    names = {pool.name for pool in sight.pools_of(settings)}
    for one in found:
        if one.pool in names and (
            not sight.by_repository or (one.repository and sight.repository(one.repository))
        ):
            yield one


def _rows(found: Iterable[Used], by: tuple[Group, ...], prices: Prices) -> tuple[UsageRow, ...]:
    sums: dict[tuple[str, ...], _Sum] = {}
    for one in found:
        words: dict[Group, str] = {
            "pool": one.pool,
            "repository": one.repository,
            "workflow": one.workflow_name,
            "class": one.machine_class,
            "region": one.region,
            "day": "" if one.day is None else rfc3339(one.day * DAY_S)[:_DATE],
        }
        total = sums.setdefault(tuple(words[each] for each in by), _Sum())
        total.jobs += one.jobs
        total.busy_s += one.busy_s
        total.boot_s += one.boot_s
        total.spare_s += one.spare_s
        total.idle_s += one.idle_s
        total.stopped_s += one.stopped_s
        total.cost += cost_of(one, prices)
    rows = [_row(dict(zip(by, key, strict=True)), total) for key, total in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.usd, row.model_dump_json())))


def _row(words: dict[Group, str], total: _Sum) -> UsageRow:
    started = total.busy_s + total.boot_s + total.spare_s + total.idle_s
    return UsageRow.model_validate(
        {
            **{_FIELDS.get(name, name): word for name, word in words.items()},
            "jobs": total.jobs,
            "busy_minutes": _minutes(total.busy_s),
            "machine_minutes": _minutes(started),
            "boot_minutes": _minutes(total.boot_s),
            "spare_minutes": _minutes(total.spare_s),
            "idle_minutes": _minutes(total.idle_s),
            "stopped_minutes": _minutes(total.stopped_s),
            "usd": round(total.cost.total, 6),
            "busy_usd": round(total.cost.busy, 6),
            "waste_usd": round(total.cost.waste, 6),
        }
    )


def _minutes(seconds: float) -> float:
    return round(seconds / 60, 3)
