"""Skew: the difference between our clock and the dispatcher's, bounded by what was heard.

A message that the dispatcher stamped T and that arrives at our time R says that the difference is at most
R - T; the least such bound is the best, since it had the least delay. With it a message that was held back
somewhere shows its true age although the two clocks were never compared. A question stamped between its
sending and its answer bounds the difference from below, too: when that contradicts the least bound, a clock
was set, and what was known is forgotten.
"""

# Stamps have milliseconds, and a clock that is being slewed moves a little between two exchanges.
TOLERANCE_S = 0.1


class Skew:
    """What is known of the difference. Every time is Unix seconds and is passed in."""

    def __init__(self) -> None:
        self._most: float | None = None
        self._frame = 0

    @property
    def frame(self) -> int:
        """Counts how often a clock was found to have been set; stamps of two frames cannot be compared."""
        return self._frame

    def heard(self, theirs: float, received_at: float) -> None:
        """A message that they stamped ``theirs`` arrived.

        Args:
            theirs: by their clock, at or before they sent it.
            received_at: by ours.
        """
        bound = received_at - theirs
        self._most = bound if self._most is None else min(self._most, bound)

    def answered(self, theirs: float, sent_at: float, received_at: float) -> None:
        """They stamped an answer ``theirs``, between our sending the question and having the answer."""
        if self._most is not None and self._most < sent_at - theirs - TOLERANCE_S:
            self._most = None
            self._frame += 1
        self.heard(theirs, received_at)

    def ours(self, theirs: float) -> float:
        """Their time by our clock, never later than it really was; without any message yet, their own."""
        return theirs + (self._most or 0.0)
