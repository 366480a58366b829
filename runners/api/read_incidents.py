"""GET /v1/incidents: what the fleet itself did wrong or lost, grouped by reason, out of the event log.

A reader who sees everything is counted in the database. For a limited one each event's target is looked up
first, so the latest SCANNED_MAX are looked through, and the answer says when there were more.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.lookups import Moment, Question, Window, window
from runners.api.sight import Look
from runners.model.incidents import INCIDENTS
from runners.model.nouns import Event
from runners.model.reason import Reason
from runners.model.refusal_notes import REASON_NOTES
from runners.planning.names import ID_LENGTH, machine_name, machine_of
from runners.store import events, jobs, machines, runners
from runners.store.events import Group
from runners.wire.incident import Incident, IncidentPage
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])
DAYS_MAX = 31
SCANNED_MAX = 2000
TARGETS_SHOWN = 5
# Pools are told from so many of the latest events of each reason: a storm has many and is soon recognised.
LATEST = 50


class IncidentQuestion(Question):
    """Which window.

    Attributes:
        since: RFC 3339 or Unix seconds; a day before ``until`` when not given.
        until: likewise; now when not given.
    """

    since: Moment | None = None
    until: Moment | None = None


@router.get("/incidents")
async def incident_page(
    fleet: Fleet, viewer: MayRead, question: Annotated[IncidentQuestion, Query()]
) -> IncidentPage:
    """What the fleet itself did wrong or lost, one entry for each reason."""
    now = fleet.clock.now()
    asked = window(question.since, question.until, now, days=DAYS_MAX, attempted="GET /v1/incidents")

    def op(conn: Connection) -> IncidentPage:
        revision = events.revision(conn)
        look = Look(conn, viewer.sight, fleet.settings)
        found, truncated = _counted(conn, asked) if viewer.sight.everything else _looked_at(look, asked)
        places = _Places(look)
        incidents = tuple(_incident(each, places) for each in sorted(found, key=lambda each: -each.last_at))
        return IncidentPage(
            revision=revision,
            as_of=rfc3339(now),
            since=rfc3339(asked.since),
            until=rfc3339(asked.until),
            total=len(incidents),
            truncated=truncated,
            incidents=incidents,
        )

    return await fleet.store.run(op)


@dataclass(frozen=True, slots=True)
class _Found:
    """One incident before it is put in words; ``latest`` are its latest events, latest first."""

    reason: Reason
    count: int
    first_at: float
    last_at: float
    latest: Sequence[Event]


def _counted(conn: Connection, asked: Window) -> tuple[tuple[_Found, ...], bool]:
    until = None if asked.to_now else asked.until
    groups: dict[Reason, list[Group]] = defaultdict(list)
    for group in events.by_reason(conn, INCIDENTS, since=asked.since, until=until):
        groups[group.reason].append(group)
    found = tuple(
        _found(
            kinds,
            events.page(conn, reason=reason, since=asked.since, until=until, newest_first=True, limit=LATEST),
        )
        for reason, kinds in groups.items()
    )
    return found, False


def _looked_at(look: Look, asked: Window) -> tuple[tuple[_Found, ...], bool]:
    latest = events.page(
        look.conn,
        reason=INCIDENTS,
        since=asked.since,
        until=None if asked.to_now else asked.until,
        newest_first=True,
        limit=SCANNED_MAX + 1,
    )
    by_reason: dict[Reason, list[Event]] = defaultdict(list)
    for event in look.events(latest[:SCANNED_MAX]):
        by_reason[event.reason].append(event)
    found = tuple(_found(tuple(_groups(seen)), seen[:LATEST]) for seen in by_reason.values())
    return found, len(latest) > SCANNED_MAX


def _groups(seen: Sequence[Event]) -> Iterator[Group]:
    """What the database's GROUP BY gives, of events that are all of one Reason."""
    kinds: dict[str, list[Event]] = defaultdict(list)
    for event in seen:
        kind, slash, _ = event.target.partition("/")
        kinds[kind if slash and kind in events.KINDS else ""].append(event)
    for kind, of_kind in kinds.items():
        times = [event.at for event in of_kind]
        targets = len({event.target for event in of_kind})
        yield Group(seen[0].reason, kind, len(of_kind), targets, min(times), max(times))


def _found(kinds: Sequence[Group], latest: Sequence[Event]) -> _Found:
    """A Machine, its Runner and its job that fail together are one: the kind hit most is counted."""
    return _Found(
        reason=kinds[0].reason,
        count=max(group.targets if group.kind else group.events for group in kinds),
        first_at=min(group.first_at for group in kinds),
        last_at=max(group.last_at for group in kinds),
        latest=latest,
    )


def _incident(found: _Found, places: "_Places") -> Incident:
    note = next(notes[found.reason] for notes in REASON_NOTES.values() if found.reason in notes)
    targets = tuple(dict.fromkeys(event.target for event in found.latest))
    return Incident(
        reason=found.reason,
        meaning=note.meaning,
        next_step=note.next_step,
        count=found.count,
        first_at=rfc3339(found.first_at),
        last_at=rfc3339(found.last_at),
        pools=tuple(sorted(places.of(targets))),
        targets=targets[:TARGETS_SHOWN],
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """Tells a target's pool: by its name where that tells it, else by its row while there is one."""

    look: Look
    _known: dict[str, str | None] = field(default_factory=dict)

    def of(self, targets: Iterable[str]) -> set[str]:
        """The pools of these targets; those nobody can tell are left out."""
        for target in targets:
            if target not in self._known:
                self._known[target] = self._look_up(target)
        return {pool for target in targets if (pool := self._known[target]) is not None}

    def _look_up(self, target: str) -> str | None:
        kind, _, name = target.partition("/")
        if kind == "pool":
            return name
        if kind in ("runner", "machine"):
            stem, settings = machine_of(name)[:-ID_LENGTH], self.look.settings
            for pool in settings.pools:
                if stem == machine_name(settings.fleet.name, pool.name, ""):
                    return pool.name
        conn = self.look.conn
        if kind == "job":
            job = jobs.get(conn, int(name)) if name.isdecimal() else None
            return None if job is None else job.pool
        if kind == "runner":
            runner = runners.get(conn, name)
            return None if runner is None else runner.pool
        row = machines.get(conn, name) if kind == "machine" else None
        return None if row is None else row.pool
