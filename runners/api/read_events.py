"""GET /v1/events: the audit trail, with a cursor that also follows it."""

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
    NumberCursor,
    Question,
    ShortText,
)
from runners.api.runner_views import event_view
from runners.api.sight import Look
from runners.model.nouns import Event
from runners.store import events
from runners.wire.event import EventPage
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])


class EventQuestion(Question):
    """Which events.

    Attributes:
        cursor: ``next_cursor`` of the page before: events after it (oldest first) or before it.
        target: ``job/ID``, ``runner/NAME`` …, exactly.
    """

    target: ShortText | None = None
    actor: ShortText | None = None
    verb: ShortText | None = None
    order: Literal["oldest", "newest"] = "oldest"
    cursor: NumberCursor | None = None
    limit: Limit = LIMIT_DEFAULT


@router.get("/events")
async def event_page(fleet: Fleet, viewer: MayRead, question: Annotated[EventQuestion, Query()]) -> EventPage:
    """Events by target, actor and verb; oldest first unless asked otherwise."""
    now = fleet.clock.now()

    def op(conn: Connection) -> EventPage:
        revision = events.revision(conn)
        look = Look(conn, viewer.sight, fleet.settings)
        found, cursor = _page(conn, look, question)
        views = tuple(event_view(each) for each in found)
        return EventPage(revision=revision, as_of=rfc3339(now), events=views, next_cursor=cursor)

    return await fleet.store.run(op)


def _page(conn: Connection, look: Look, question: EventQuestion) -> tuple[tuple[Event, ...], str | None]:
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
            newest_first=newest,
            limit=BATCH,
        )
        for event in batch:
            place = event.seq
            if look.target(event.target):
                found.append(event)
                if len(found) == question.limit:
                    return tuple(found), str(place)
        if len(batch) < BATCH:
            return tuple(found), None if newest else str(place or 0)
    return tuple(found), None if place is None else str(place)
