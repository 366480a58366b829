"""CapacityAnswer: may so many jobs with these labels be queued now, and when would they start?"""

from pydantic import Field

from runners.wire.answer import Answer
from runners.wire.job import ForecastView
from runners.wire.times import Time
from runners.wire.why import WhyView


class CapacityAnswer(Answer):
    """What the planner would do with them: an outlook, no reservation.

    Attributes:
        revision: of the event log now.
        as_of: when this was asked.
        planned_at: when the planner last decided, which is what the answer rests on; null before its first.
        ok: every one of them would have supply now; false, too, whenever nobody can say.
        pool: the pool they would be charged to; null when none that the reader may see serves them.
        asked: how many were asked for.
        startable: how many of them have supply now or would be given it at once, or within the seconds by
            which calls to Fly and GitHub are paced.
        why: why the first of the others would wait; null when ok.
        first_start: when the first of them would start; null when nothing was planned for them.
        last_start: when the last of them would start; likewise.
    """

    revision: int
    as_of: Time
    planned_at: Time | None
    ok: bool
    pool: str | None
    asked: int = Field(ge=1)
    startable: int = Field(ge=0)
    why: WhyView | None
    first_start: ForecastView | None
    last_start: ForecastView | None
