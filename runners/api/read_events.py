"""GET /v1/events: the audit trail, with a cursor that also follows it."""

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.lookups import (
    BATCH,
    LIMIT_DEFAULT,
    SCANNED_MAX,
    Limit,
    Moment,
    NumberCursor,
    Question,
    ShortText,
    invalid,
    moment,
)
from runners.api.runner_views import event_view
from runners.api.sight import Look
from runners.model.nouns import Event
from runners.model.reason import Reason
from runners.store import events
from runners.wire.event import EventPage
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])


class EventQuestion(Question):
    """Which events.

    Attributes:
        cursor: an event's seq, ``next_cursor`` or any: events after it (oldest first) or before it.
        target: ``job/ID``, ``runner/NAME`` …, exactly.
        since: RFC 3339 or Unix seconds; what happened before is left out.
        until: likewise; what happened then or later is left out.
    """

    target: ShortText | None = None
    actor: ShortText | None = None
    verb: ShortText | None = None
    reason: ShortText | None = None
    since: Moment | None = None
    until: Moment | None = None
    order: Literal["oldest", "newest"] = "oldest"
    cursor: NumberCursor | None = None
    limit: Limit = LIMIT_DEFAULT


@router.get("/events")
async def event_page(fleet: Fleet, viewer: MayRead, question: Annotated[EventQuestion, Query()]) -> EventPage:
    """Events by target, actor, verb, reason and time; oldest first unless asked otherwise."""
    now = fleet.clock.now()
    wanted = _Wanted(_reason(question.reason), moment(question.since), moment(question.until))
    if wanted.since is not None and wanted.until is not None and not wanted.since < wanted.until:
        raise invalid("the window must begin before it ends", "GET /v1/events", "correct since and until")

    def op(conn: Connection) -> EventPage:
        revision = events.revision(conn)
        look = Look(conn, viewer.sight, fleet.settings)
        found, cursor = _page(conn, look, question, wanted)
        views = tuple(event_view(each) for each in found)
        return EventPage(revision=revision, as_of=rfc3339(now), events=views, next_cursor=cursor)

    return await fleet.store.run(op)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What of a question had to be read first."""

    reason: Reason | None
    since: float | None
    until: float | None


def _page(
    conn: Connection, look: Look, question: EventQuestion, wanted: _Wanted
) -> tuple[tuple[Event, ...], str | None]:
    newest = question.order == "newest"
    place = None if question.cursor is None else int(question.cursor)
    found: list[Event] = []
    for _ in range(SCANNED_MAX // BATCH):
        batch = events.page(
            conn,
            after=0 if newest or place is None else place,
            before=place if newest else None,
            target=question.target,
            actor=question.actor,
            verb=question.verb,
            reason=wanted.reason,
            since=wanted.since,
            until=wanted.until,
            newest_first=newest,
            limit=BATCH,
        )
        seen = {event.seq for event in look.events(batch)}
        for event in batch:
            place = event.seq
            if place in seen:
                found.append(event)
                if len(found) == question.limit:
                    return tuple(found), str(place)
        if len(batch) < BATCH:
            return tuple(found), None if newest else str(place or 0)
    return tuple(found), None if place is None else str(place)


def _reason(word: str | None) -> Reason | None:
    if word is None:
        return None
    if word not in tuple(Reason):
        near = get_close_matches(word, tuple(Reason), n=3, cutoff=0.6)
        step = f"did you mean {' or '.join(near)}?" if near else "docs/reasons.md lists every reason"
        raise invalid("there is no such reason", "GET /v1/events", step)
    return Reason(word)
