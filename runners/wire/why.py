"""Why: a typed reason with its particulars, in the one wording that every face shows."""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.times import Time


class WhyView(Answer):
    """Why something waits, was refused or ended.

    Attributes:
        reason: the stable word; docs/reasons.md explains each.
        text: the one wording: the reason and the particulars.
        until: when this is expected to change, or null when nobody can say.
    """

    reason: str
    text: str
    until: Time | None = None


class HeldView(Answer):
    """One reason why supply is held back, with how much it holds.

    Attributes:
        pool: the pool it is about; empty for the fleet as a whole.
        count: how many jobs or spares it holds back.
        text: the wording of one of them.
        until: the earliest time at which one of them may be tried again.
    """

    reason: str
    pool: str
    count: int = Field(ge=0)
    text: str
    until: Time | None = None
