"""History: the one event log whose growth is followed, and how another one in its place is recognised.

Revisions only grow, and a dispatcher answers with the revision at which it reads. So whoever asks after
revision H was heard of is answered with H or more, unless the log behind the dispatcher is another one: a
database that was restored from a backup, or a second dispatcher. One such answer may be a mistake that
passes; it is believed only once nothing of the old history has been heard for so long that what is known of
it is stale. Then a new epoch begins, and no revision of the old one counts any more.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Asked:
    """What was known when a question was sent.

    Attributes:
        epoch: of the history then followed.
        highest: the highest revision heard of; an answer of the same history is not below it.
    """

    epoch: int
    highest: int


class History:
    """Judges revisions. Every time is Unix seconds and is passed in.

    Args:
        stale_after_s: seconds without a word of a history after which another one may take its place.
        told: called with the highest revision of the old history and the first of the new one.
    """

    def __init__(
        self, stale_after_s: float, told: Callable[[int, int], None] = lambda _old, _new: None
    ) -> None:
        self._stale_after_s = stale_after_s
        self._told = told
        self._epoch = 0
        self._highest = 0
        self._heard_at: float | None = None
        self._disbelieved = 0

    @property
    def epoch(self) -> int:
        """Counts the histories followed so far, from 0."""
        return self._epoch

    @property
    def highest(self) -> int:
        """The highest revision heard of in this epoch."""
        return self._highest

    @property
    def disbelieved(self) -> int:
        """Answers that belonged to another history and were not believed."""
        return self._disbelieved

    def asked(self) -> Asked:
        """What is known now; keep it with a question that is about to be sent."""
        return Asked(self._epoch, self._highest)

    def believes(self, revision: int, asked: Asked, now: float) -> bool:
        """Whether an answer belongs to the history that is followed; it may have become so by this answer.

        Args:
            revision: of the answer.
            asked: what was known when its question was sent.
            now: when it arrived.
        """
        if asked.epoch != self._epoch:
            # Nobody can tell which history it is of.
            return False
        if revision < asked.highest:
            if not self._silent(now):
                self._disbelieved += 1
                return False
            self._told(self._highest, revision)
            self._epoch += 1
            self._highest = 0
        if revision < self._highest:
            # Late, or of another history in which a question was answered: whoever asks anew will know.
            return not self._silent(now)
        self._highest = revision
        self._heard_at = now
        return True

    def _silent(self, now: float) -> bool:
        """Whether what is known of the history is stale."""
        if self._heard_at is None:
            return True
        # When our clock was set back, the wait begins anew: it must not last until the clock is there again.
        self._heard_at = min(self._heard_at, now)
        return now - self._heard_at > self._stale_after_s
