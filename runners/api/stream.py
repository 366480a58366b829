"""GET /v1/status/stream: the fleet as server-sent events, one per change, and a heartbeat between them.

Whatever happens, something is sent every HEARTBEAT_S, and a heartbeat carries the revision of now: who may
not see what changes hears that it does, and who hears nothing knows that the connection is gone.

A stream waits on Changes and then reads the store, so a client that reads slowly skips states and never falls
behind; nothing is queued for it. The revision is the event's id, and a client that comes back with
Last-Event-ID is told what changed in between.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import APIRouter, Header, Request
from fastapi.responses import StreamingResponse
from sqlalchemy import Connection

from runners.api.access import Access, Fleet, Viewer
from runners.api.changes import Listener
from runners.api.page.session import Watcher
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.api.reading import Reader, Reading
from runners.api.sight import Look
from runners.api.status_view import fingerprint, fleet_status
from runners.model.reason import Reason
from runners.store import events
from runners.store.errors import StoreError
from runners.wire.status import FleetStatus
from runners.wire.stream import StreamMessage

router = APIRouter(prefix="/v1", tags=["read"])
STREAMS_MAX = 256
HEARTBEAT_S = 15.0
# A burst of changes becomes a few messages a second, not hundreds.
GAP_S = 0.2
# More changes than this since the last message, and reading everything anew is cheaper.
TARGETS_MAX = 1000
DIGITS_MAX = 18
EVENT_STREAM = "text/event-stream"
# A comment, which clients skip: the connection lives, and of the fleet nothing can be told now.
STORE_AWAY = ": the store cannot be read now\n\n"


@router.get("/status/stream")
async def status_stream(
    fleet: Fleet,
    viewer: Watcher,
    request: Request,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Follow the fleet."""
    if fleet.changes.listening >= STREAMS_MAX:
        raise ApiProblem(
            503,
            Reason.TOO_MANY_STREAMS,
            what="the stream was not opened",
            why=f"{STREAMS_MAX} streams are open already",
            attempted="GET /v1/status/stream",
            next_step="close one, or poll GET /v1/status with its ETag",
            headers={"Retry-After": "30"},
        )
    source = _Source(
        fleet,
        cast(Reader, request.app.state.reader),
        cast(Access, request.app.state.access),
        viewer,
    )
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_frames(source, last_event_id), media_type=EVENT_STREAM, headers=headers)


@dataclass(frozen=True, slots=True)
class _Source:
    """What one stream reads from."""

    port: FleetPort
    reader: Reader
    access: Access
    viewer: Viewer

    async def look(self, since: int | None) -> tuple[Reading, tuple[str, ...] | None] | None:
        """The fleet now and what changed after ``since``, or None when the viewer may no longer see it."""

        def op(conn: Connection) -> tuple[Reading, tuple[str, ...] | None] | None:
            if not self.access.still_valid(conn, self.viewer):
                return None
            reading = self.reader.within(conn)
            return reading, self._targets(conn, since, reading.revision)

        return await self.port.store.run(op)

    def _targets(self, conn: Connection, since: int | None, revision: int) -> tuple[str, ...] | None:
        if since is None or since > revision:
            return None
        changed = events.page(conn, after=since, before=revision + 1, limit=TARGETS_MAX + 1)
        if len(changed) > TARGETS_MAX or (since and not _reaches_back(conn, since)):
            return None
        look = Look(conn, self.viewer.sight, self.port.settings)
        return tuple(dict.fromkeys(event.target for event in look.events(changed)))


async def _frames(source: _Source, last_event_id: str | None) -> AsyncIterator[str]:
    with source.port.changes.listen() as listener:
        # At once, so that a proxy passes the headers on, and with the pause before a client comes back.
        yield "retry: 2000\n\n"
        since = _revision_of(last_event_id)
        async for message in _messages(source, listener, since):
            if message is None:
                yield STORE_AWAY
            else:
                yield f"id: {message.revision}\nevent: {message.kind}\ndata: {message.model_dump_json()}\n\n"


async def _messages(
    source: _Source, listener: Listener, since: int | None
) -> AsyncIterator[StreamMessage | None]:
    """What to send, at least one every HEARTBEAT_S; None says only that the stream lives."""
    clock, said, passed = source.port.clock, "", False
    sent_at = clock.now()
    while not source.port.changes.closed:
        due = passed or clock.now() - sent_at >= HEARTBEAT_S
        message: StreamMessage | None = None
        try:
            seen = await source.look(since)
        except StoreError:
            # The client keeps its last view, which tells its age; a heartbeat without a revision would lie.
            send = due
        else:
            if seen is None:
                return
            reading, targets = seen
            status = fleet_status(source.port, reading, source.viewer.sight)
            mark = _mark(source, status_mark=fingerprint(status))
            message = _message(reading, status, targets, changed=mark != said or bool(targets))
            send = due or message.kind == "status"
            said, since = mark, reading.revision
        if send:
            yield message
            sent_at = clock.now()
        # Changes that this viewer may not see come as fast as others, and are looked at no more often.
        await clock.sleep(GAP_S)
        passed = not await listener.heard(max(0.0, sent_at + HEARTBEAT_S - clock.now()), clock)


def _message(
    reading: Reading, status: FleetStatus, targets: tuple[str, ...] | None, *, changed: bool
) -> StreamMessage:
    if changed:
        return StreamMessage(
            kind="status", revision=reading.revision, as_of=status.as_of, targets=targets, status=status
        )
    return StreamMessage(kind="heartbeat", revision=reading.revision, as_of=status.as_of)


def _mark(source: _Source, *, status_mark: str) -> str:
    """What a limited viewer cannot see is no change: its revision alone makes no message."""
    return status_mark if source.viewer.sight.everything else status_mark.partition("-")[2]


def _reaches_back(conn: Connection, since: int) -> bool:
    """Whether retention has left the event a client saw last, so that nothing after it is missing."""
    return bool(events.page(conn, after=since - 1, before=since + 1, limit=1))


def _revision_of(last_event_id: str | None) -> int | None:
    """A client's last event id; whatever is no revision counts as none, as for a first visit."""
    text = last_event_id or ""
    fits = text.isascii() and text.isdecimal() and len(text) <= DIGITS_MAX
    return int(text) if fits else None
