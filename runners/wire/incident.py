"""Incident: what the fleet itself did wrong or lost, one for each reason, however often it happened."""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.times import Time


class Incident(Answer):
    """One reason, with everything in the window that went wrong for it.

    Attributes:
        reason: the typed cause; docs/reasons.md explains each.
        meaning: what is the case, in one sentence.
        next_step: the one thing to do; ``nothing`` when it passes by itself.
        count: how many Machines, runners or jobs it happened to, each once, of the kind that it hit most: a
            Machine and its runner that fail together are one. What has no handle is counted by event.
        pools: whose they were, as far as the latest events tell.
        targets: handles of the latest five (``runner/NAME``, ``machine/NAME``, ``job/ID``), latest first.
    """

    reason: str
    meaning: str
    next_step: str
    count: int = Field(ge=1)
    first_at: Time
    last_at: Time
    pools: tuple[str, ...]
    targets: tuple[str, ...]


class IncidentPage(Answer):
    """The incidents of a window, the one that happened last first.

    Attributes:
        total: how many there are.
        truncated: a limited reader asked for more than is looked through; the oldest were left out.
    """

    revision: int
    as_of: Time
    since: Time
    until: Time
    total: int = Field(ge=0)
    truncated: bool = False
    incidents: tuple[Incident, ...]
