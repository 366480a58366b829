"""StreamMessage: what ``GET /v1/status/stream`` sends, one per server-sent event."""

from typing import Literal

from runners.wire.answer import Answer
from runners.wire.status import FleetStatus
from runners.wire.times import Time


class StreamMessage(Answer):
    """One change of the fleet.

    The server-sent event's ``event`` is ``kind`` and its ``id`` is ``revision``; send the last one seen as
    ``Last-Event-ID`` to go on from there.

    Attributes:
        kind: ``status``: something changed (also the first message). ``heartbeat``: nothing that the reader
            may see did; it comes when nothing else was sent for 15 seconds, with the revision of now.
        revision: of the event log; it never goes back within a stream.
        targets: what changed since the message before (``job/ID``, ``runner/NAME`` …), as far as the reader
            may see it; null when that is not known (the first message, too many changes, a gap): read all.
        status: the fleet now; null in a heartbeat.
    """

    kind: Literal["status", "heartbeat"]
    revision: int
    as_of: Time
    targets: tuple[str, ...] | None = None
    status: FleetStatus | None = None
