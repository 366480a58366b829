"""Problem: the one shape of every error answer: no traceback, no secret, no text of other people."""

from runners.wire.answer import Answer


class Problem(Answer):
    """What went wrong and what to do about it.

    Attributes:
        reason: the typed cause, the same word that events and metrics use.
        what: what failed, in one sentence.
        why: the cause, in one sentence.
        attempted: what the dispatcher was asked to do.
        next_step: the one thing to do next.
    """

    reason: str
    what: str
    why: str
    attempted: str
    next_step: str
