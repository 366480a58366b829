"""Breaker: stop calling an upstream that keeps failing, and let a few trials find out when it is back.

A state machine over times it is told; it reads no clock and does no I/O. *Closed*: every call goes through.
``errors`` failures within ``window`` seconds open it. *Open*: no call goes through for ``open_for`` seconds.
*Trying*: at most ``trials`` calls are under way at once; that many good ones in a row close it, one bad one
opens it again.
"""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker does with the next call."""

    CLOSED = "closed"
    OPEN = "open"
    TRYING = "trying"


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave for one call, given back with its result.

    Attributes:
        era: counts the breaker's changes of state; a result from an earlier era says nothing about this one.
    """

    era: int


class Breaker:
    """One upstream key's breaker. Every time is Unix seconds and is passed in.

    Args:
        errors: so many failures within ``window`` open it.
        window: seconds a failure is remembered; one exactly this old is forgotten.
        open_for: seconds it stays open; at exactly this age the first trial goes through.
        trials: so many good trials close it.
    """

    def __init__(
        self, *, errors: int = 5, window: float = 300.0, open_for: float = 900.0, trials: int = 3
    ) -> None:
        if errors < 1 or trials < 1 or window <= 0 or open_for <= 0:
            raise ValueError(
                f"a breaker needs positive figures, got errors={errors}, window={window}, "
                f"open_for={open_for}, trials={trials}"
            )
        self._errors = errors
        self._window = window
        self._open_for = open_for
        self._trials = trials
        self._failures: deque[float] = deque()
        self._open_until: float | None = None
        self._trying = False
        self._under_way = 0
        self._good = 0
        self._era = 0

    @property
    def open_until(self) -> float | None:
        """When an open breaker lets its first trial through; None when it is closed or already trying."""
        return self._open_until

    def state(self, now: float) -> BreakerState:
        """Return what the next call would meet."""
        if self._open_until is not None:
            return BreakerState.OPEN if now < self._open_until else BreakerState.TRYING
        return BreakerState.TRYING if self._trying else BreakerState.CLOSED

    def admit(self, now: float) -> Pass | None:
        """Let a call through, or return None when it must not be sent.

        Every Pass is given back exactly once, to succeeded, failed or abandoned.
        """
        state = self.state(now)
        if state is BreakerState.OPEN:
            return None
        if state is BreakerState.TRYING:
            if not self._trying:
                self._enter(open_until=None, trying=True)
            if self._under_way >= self._trials - self._good:
                return None
            self._under_way += 1
        return Pass(self._era)

    def succeeded(self, leave: Pass) -> None:
        """The call was answered, whatever the answer said."""
        if leave.era != self._era or not self._trying:
            return
        self._under_way -= 1
        self._good += 1
        if self._good >= self._trials:
            self._enter(open_until=None, trying=False)

    def failed(self, leave: Pass, now: float) -> None:
        """The upstream failed: an error of its own, no answer in time, or no connection."""
        if leave.era != self._era:
            return
        if self._trying:
            self._enter(open_until=now + self._open_for, trying=False)
            return
        self._failures.append(now)
        while self._failures and now - self._failures[0] >= self._window:
            self._failures.popleft()
        if len(self._failures) >= self._errors:
            self._enter(open_until=now + self._open_for, trying=False)

    def abandoned(self, leave: Pass) -> None:
        """The call ended without telling anything about the upstream: it was cancelled or never sent."""
        if leave.era == self._era and self._trying:
            self._under_way -= 1

    def _enter(self, *, open_until: float | None, trying: bool) -> None:
        self._open_until = open_until
        self._trying = trying
        self._under_way = 0
        self._good = 0
        self._failures.clear()
        self._era += 1
