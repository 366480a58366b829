"""DeliveryAnswer: what the webhook endpoint says to GitHub; GitHub keeps it in the delivery log."""

from runners.wire.answer import Answer


class DeliveryAnswer(Answer):
    """What became of one delivery.

    Attributes:
        accepted: the fact was taken; False leaves demand as it was, for the stated reason.
        reason: the typed cause.
        text: the same in one sentence.
        job_id: the job it was about, when it was about one.
        pool: the pool the job is charged to, when there is one.
        state: the job's state now, when it is known here.
    """

    accepted: bool
    reason: str
    text: str = ""
    job_id: int | None = None
    pool: str | None = None
    state: str | None = None
