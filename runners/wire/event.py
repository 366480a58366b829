"""EventView: one line of the audit trail."""

from runners.wire.answer import Answer
from runners.wire.text import Untrusted
from runners.wire.times import Time


class EventView(Answer):
    """Who did what to what, and why.

    Attributes:
        seq: its place in the log; grows, with gaps.
        target: ``job/ID``, ``runner/NAME``, ``machine/NAME``, ``volume/ID``, ``pool/NAME``, or a word.
        detail: particulars; it may quote names that other people chose.
        external_id: the other side's id (delivery GUID, Fly request id), when there is one.
    """

    seq: int
    at: Time
    actor: str
    verb: str
    target: str
    reason: str
    detail: Untrusted = ""
    outcome: str = "ok"
    external_id: Untrusted = ""


class EventPage(Answer):
    """Some events, in the order asked for.

    Attributes:
        revision: the newest event there is.
        next_cursor: give it back as ``cursor`` for what follows; null when nothing more is there now (oldest
            first it is always set: asking again with it follows the log). Any event's seq is a cursor, too.
    """

    revision: int
    as_of: Time
    events: tuple[EventView, ...]
    next_cursor: str | None = None
