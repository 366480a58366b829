"""What was used, summed by the database: paid seconds by what they were spent on, for budgets and reports.

Fly bills a Machine while it is started. That time is cut into consecutive parts: *boot* (until it is ready,
and again from its Runner's request until the listener is online), *spare* (ready, and no Runner asked for
it), *idle* (online without a job, and what follows the job until the Machine ends) and *busy*. *Stopped* is
the time of a spare that was created and not started yet, which costs its disk only.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    FromClause,
    Integer,
    Select,
    Subquery,
    and_,
    case,
    cast,
    func,
    literal,
    or_,
    select,
    union_all,
)

from runners.store.scalars import DAY_S, day_of, greatest, least
from runners.store.tables import boots, jobs, machines, runners

_GROUP = ("pool", "machine_class", "region", "repository", "workflow_name")
# The marks between which a started Machine's time is cut, in order: ready, asked for, online, busy, done.
_MARKS = ("started", "ready", "asked", "online", "busy", "done", "ended")


@dataclass(frozen=True, slots=True)
class Used:
    """The seconds of one group, in a window of time.

    Attributes:
        repository: of the jobs that ran, "" for what ran none (a spare, a surplus, or a failed boot).
        workflow_name: likewise.
        day: whole days from 1970 to the UTC day it was on, None when days were not asked for.
        jobs: how many jobs ran; one that ran over midnight counts on its first day.
        busy_s: a job ran.
        boot_s: it booted, claimed and registered.
        spare_s: it waited, booted, for somebody to need it.
        idle_s: its runner was online without a job, or the Machine had not ended yet.
        stopped_s: it waited, stopped; not started, so only its disk was paid.
    """

    pool: str
    machine_class: str
    region: str
    repository: str
    workflow_name: str
    day: int | None
    jobs: int
    busy_s: float
    boot_s: float
    spare_s: float
    idle_s: float
    stopped_s: float = 0.0

    @property
    def started_s(self) -> float:
        """What Fly bills as started."""
        return self.busy_s + self.boot_s + self.spare_s + self.idle_s


def used(conn: Connection, since: float, until: float, *, by_day: bool = False) -> tuple[Used, ...]:
    """What was used in [since, until), Unix seconds, by pool, class, region, repository and workflow.

    What is still running counts up to ``until``. A Boot that was never seen started cost nothing.
    """
    return tuple(_all(conn, since, until, by_day=by_day))


def _all(conn: Connection, since: float, until: float, *, by_day: bool) -> Iterator[Used]:
    if not since < until:
        return
    marked, resting = _marked(since, until), _resting(since, until)
    if not by_day:
        window = _Window(literal(since, Double), literal(until, Double), None)
        yield from _rows(conn, _started(marked, window))
        yield from _rows(conn, _stopped(resting, window))
        return
    # Nearly everything lies within one day: that is grouped by its day. Only what crosses a midnight is cut.
    within = _Window(literal(since, Double), literal(until, Double), marked.c.first_day)
    crosses = least(marked.c.ended, literal(until, Double)) > (marked.c.first_day + 1) * DAY_S
    yield from _rows(conn, _started(marked, within).where(~crosses))
    days = _days(since, until)
    window = _Window(days.c.begins, days.c.ends, days.c.day)
    # Found first and written down, since each of them meets every day.
    crossing = select(marked).where(crosses).cte("crossing").prefix_with("MATERIALIZED")
    lasting = and_(crossing.c.started < days.c.ends, crossing.c.ended > days.c.begins)
    yield from _rows(conn, _started(crossing, window, days).where(lasting))
    spares = select(resting).cte("spares").prefix_with("MATERIALIZED")
    rested = and_(spares.c.begins < days.c.ends, spares.c.ends > days.c.begins)
    yield from _rows(conn, _stopped(spares, window, days).where(rested))


@dataclass(frozen=True, slots=True)
class _Window:
    """Of each row: the window it is cut to, and the day it is counted on."""

    begins: ColumnElement[float]
    ends: ColumnElement[float]
    day: ColumnElement[int] | None

    def overlap(self, begin: ColumnElement[float], end: ColumnElement[float]) -> ColumnElement[float]:
        return greatest(literal(0.0, Double), least(end, self.ends) - greatest(begin, self.begins))


def _started(marked: FromClause, window: _Window, *others: FromClause) -> Select[Any]:
    started, ready, asked, online, busy, done, ended = (marked.c[name] for name in _MARKS)
    begins_here = and_(
        marked.c.repository != "", or_(started >= window.begins, window.begins == marked.c.since)
    )
    sums = (
        func.sum(case((begins_here, 1), else_=0)),
        func.sum(window.overlap(busy, done)),
        func.sum(window.overlap(started, ready) + window.overlap(asked, online)),
        func.sum(window.overlap(ready, asked)),
        func.sum(window.overlap(online, busy) + window.overlap(done, ended)),
        cast(literal(0.0), Double),
    )
    return _grouped(marked, window, sums, others)


def _stopped(resting: FromClause, window: _Window, *others: FromClause) -> Select[Any]:
    nothing = tuple(cast(literal(0), Integer if at == 0 else Double) for at in range(5))
    rested = func.sum(window.overlap(resting.c.begins, resting.c.ends))
    return _grouped(resting, window, (*nothing, rested), others)


def _grouped(
    source: FromClause, window: _Window, sums: tuple[ColumnElement[Any], ...], others: tuple[FromClause, ...]
) -> Select[Any]:
    day = window.day if window.day is not None else cast(literal(None), Integer)
    names = [source.c[name] for name in _GROUP]
    keys = [*names, day] if window.day is not None else names
    query = select(*names, day.label("day"), *sums).select_from(source)
    for other in others:
        query = query.join(other, literal(True))
    return query.group_by(*keys).order_by(*keys)


def _marked(since: float, until: float) -> Subquery:
    """One row for each Boot that was started at some time in the window, with its marks in order."""
    raw = _boots(since, until).subquery("raw")
    started, ended = (
        raw.c.started,
        greatest(raw.c.started, func.coalesce(raw.c.ended, literal(until, Double))),
    )
    # A listener whose hook was slower than its job was online when the job began.
    seen_online = func.coalesce(raw.c.online, raw.c.busy)
    online = least(seen_online, func.coalesce(raw.c.busy, seen_online))
    wishes = {
        "ready": func.coalesce(raw.c.ready, case((online.is_(None), ended), else_=started)),
        "asked": func.coalesce(raw.c.requested, ended),
        "online": func.coalesce(online, ended),
        "busy": func.coalesce(raw.c.busy, ended),
        "done": func.coalesce(raw.c.done, ended),
    }
    wished = select(
        *(raw.c[name] for name in _GROUP),
        started.label("started"),
        ended.label("ended"),
        *(wish.label(name) for name, wish in wishes.items()),
    ).subquery("wished")
    # One mark after the other: each lies between the one before it and the end.
    marks: dict[str, ColumnElement[float]] = {}
    before: ColumnElement[float] = wished.c.started
    for name in wishes:
        before = marks[name] = least(greatest(wished.c[name], before), wished.c.ended)
    begins = greatest(wished.c.started, literal(since, Double))
    return select(
        *(wished.c[name] for name in (*_GROUP, "started", "ended")),
        *(mark.label(name) for name, mark in marks.items()),
        day_of(begins).label("first_day"),
        literal(since, Double).label("since"),
    ).subquery("marked")


def _boots(since: float, until: float) -> Select[Any]:
    started = func.coalesce(boots.c.started_at, boots.c.ready_at)
    ended = func.coalesce(boots.c.ended_at, machines.c.gone_at)
    # A runner whose mint was lost is replaced under a new name: the one that got furthest speaks for all.
    sibling = runners.alias("sibling")
    furthest = (
        select(sibling.c.name)
        .where(sibling.c.machine_name == boots.c.machine_name, sibling.c.boot_seq == boots.c.seq)
        .order_by(
            case((sibling.c.busy_at.is_(None), 1), else_=0),
            case((sibling.c.claimed_at.is_(None), 1), else_=0),
            sibling.c.requested_at,
            sibling.c.name,
        )
        .limit(1)
        .scalar_subquery()
    )
    return (
        select(
            machines.c.pool,
            machines.c.machine_class,
            machines.c.region,
            func.coalesce(jobs.c.repository, "").label("repository"),
            func.coalesce(jobs.c.workflow_name, "").label("workflow_name"),
            started.label("started"),
            ended.label("ended"),
            boots.c.ready_at.label("ready"),
            runners.c.requested_at.label("requested"),
            runners.c.online_at.label("online"),
            runners.c.busy_at.label("busy"),
            func.coalesce(runners.c.finished_at, jobs.c.completed_at).label("done"),
        )
        .select_from(boots)
        .join(machines, machines.c.name == boots.c.machine_name)
        .outerjoin(runners, runners.c.name == furthest)
        .outerjoin(jobs, jobs.c.id == runners.c.job_id)
        # The first condition follows from the others and has an index.
        .where(or_(boots.c.ended_at > since, boots.c.ended_at.is_(None)))
        .where(started < until, or_(ended.is_(None), ended > since))
    )


def _resting(since: float, until: float) -> Subquery:
    """One row for each Machine that existed in the window before its first start, if it ever started."""
    first = boots.alias("first")
    ends = func.coalesce(first.c.launched_at, machines.c.gone_at, literal(until, Double))
    return (
        select(
            machines.c.pool,
            machines.c.machine_class,
            machines.c.region,
            literal("").label("repository"),
            literal("").label("workflow_name"),
            machines.c.requested_at.label("begins"),
            ends.label("ends"),
        )
        .select_from(machines)
        .outerjoin(first, and_(first.c.machine_name == machines.c.name, first.c.seq == 1))
        .where(or_(machines.c.gone_at > since, machines.c.gone_at.is_(None)))
        .where(machines.c.requested_at < ends, machines.c.requested_at < until, ends > since)
        .subquery("resting")
    )


def _days(since: float, until: float) -> Subquery:
    """The days that the window touches, each cut to it."""
    whole = range(int(since // DAY_S), int(until // DAY_S) + 1)
    cut = [(day, max(since, day * DAY_S), min(until, (day + 1) * DAY_S)) for day in whole]
    rows = [
        select(
            literal(day, Integer).label("day"),
            literal(begins, Double).label("begins"),
            literal(ends, Double).label("ends"),
        )
        for day, begins, ends in cut
        if begins < ends
    ]
    return union_all(*rows).subquery("days")


def _rows(conn: Connection, query: Select[Any]) -> Iterator[Used]:
    for row in conn.execute(query):
        pool, machine_class, region, repository, workflow_name, day, count, *seconds = row
        yield Used(pool, machine_class, region, repository, workflow_name, day, int(count), *seconds)
