"""GET /v1/usage: minutes and money over a window, by pool, repository, workflow and day."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.lookups import DAY_S, Moment, Question, window
from runners.api.sight import Sight
from runners.model.settings import Settings
from runners.store import events, usage
from runners.store.usage import Span
from runners.wire.times import rfc3339
from runners.wire.usage import Usage, UsageRow

router = APIRouter(prefix="/v1", tags=["read"])
DAYS_MAX = 92
ROWS_MAX = 1000

Group = Literal["pool", "repository", "workflow", "day"]


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
    machine_s: float = 0.0
    usd: float = 0.0


@router.get("/usage")
async def usage_page(fleet: Fleet, viewer: MayRead, question: Annotated[UsageQuestion, Query()]) -> Usage:
    """What was used and what it cost."""
    now = fleet.clock.now()
    asked = window(question.since, question.until, now, days=DAYS_MAX, attempted="GET /v1/usage")

    def op(conn: Connection) -> tuple[int, tuple[Span, ...]]:
        return events.revision(conn), usage.busy_spans(conn, asked.since, asked.until)

    revision, spans = await fleet.store.run(op)
    seen = tuple(_seen(spans, viewer.sight, fleet.settings))
    by = tuple(dict.fromkeys(question.by))
    rows = _rows(seen, by, fleet.price)
    total = _rows(seen, (), fleet.price)
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


def _seen(spans: Iterable[Span], sight: Sight, settings: Settings) -> Iterator[Span]:
    """A token limited to repositories sees its jobs' spans; idle time belongs to no repository."""
    if sight.everything:
        yield from spans
        return
    names = {pool.name for pool in sight.pools_of(settings)}
    for span in spans:
        if span.pool in names and (
            not sight.by_repository or (span.repository and sight.repository(span.repository))
        ):
            yield span


def _rows(
    spans: Iterable[Span], by: tuple[Group, ...], price: Callable[[str, str], float]
) -> tuple[UsageRow, ...]:
    sums: dict[tuple[str, ...], _Sum] = {}
    for span in spans:
        pieces = _by_day(span) if "day" in by else [(span, "", True)]
        for piece, day, first in pieces:
            words = {
                "pool": piece.pool,
                "repository": piece.repository,
                "workflow": piece.workflow_name,
                "day": day,
            }
            total = sums.setdefault(tuple(words[each] for each in by), _Sum())
            seconds = piece.ended_at - piece.started_at
            total.jobs += 1 if first and piece.repository else 0
            total.busy_s += piece.busy_s
            total.machine_s += seconds
            total.usd += seconds / 3600 * price(piece.machine_class, piece.region)
    rows = [_row(dict(zip(by, key, strict=True)), total) for key, total in sums.items()]
    return tuple(sorted(rows, key=lambda row: (-row.usd, row.model_dump_json())))


def _by_day(span: Span) -> Iterator[tuple[Span, str, bool]]:
    """The Span cut at UTC midnights; its busy time is spread evenly over it."""
    length = span.ended_at - span.started_at
    begin, first = span.started_at, True
    while begin < span.ended_at or first:
        end = min(span.ended_at, (begin // DAY_S + 1) * DAY_S)
        share = (end - begin) / length if length > 0 else 1.0
        piece = Span(
            pool=span.pool,
            repository=span.repository,
            workflow_name=span.workflow_name,
            machine_class=span.machine_class,
            region=span.region,
            started_at=begin,
            ended_at=end,
            busy_s=span.busy_s * share,
        )
        yield piece, rfc3339(begin)[:10], first
        begin, first = end, False


def _row(words: dict[Group, str], total: _Sum) -> UsageRow:
    return UsageRow.model_validate(
        {
            **words,
            "jobs": total.jobs,
            "busy_minutes": round(total.busy_s / 60, 3),
            "machine_minutes": round(total.machine_s / 60, 3),
            "usd": round(total.usd, 6),
        }
    )
