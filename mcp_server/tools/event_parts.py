"""EventRow: one line of the fleet's own audit trail."""

from pydantic import Field

from mcp_server.tools.output import Part
from mcp_server.tools.words import Brief, Word
from runners.wire.event import EventView
from runners.wire.times import Time


class EventRow(Part):
    """Who did what to what, and why."""

    seq: int
    at: Time
    actor: Brief
    verb: Word
    target: Brief = Field(description="job/ID, runner/NAME, machine/NAME, pool/NAME or a word.")
    reason: Word
    outcome: Word | None = Field(None, description="Absent: it went well.")
    detail: Brief | None = None


def event_row(event: EventView) -> EventRow:
    """One line."""
    return EventRow(
        seq=event.seq,
        at=event.at,
        actor=event.actor,
        verb=event.verb,
        target=event.target,
        reason=event.reason,
        outcome=None if event.outcome == "ok" else event.outcome,
        detail=event.detail or None,
    )
