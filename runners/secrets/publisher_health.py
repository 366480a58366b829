"""Whether the token publisher does its work, for whoever probes it: ready while every token is fresh.

Pure: told of each pass, asked at any time. A token that could not be renewed is told while it still lives,
and so is a publisher that hangs.
"""

from runners.secrets.publisher import Outcome, PublishResult, TokenReport
from runners.upstream.errors import one_line
from runners.wire.health import Check, Readiness
from runners.wire.times import rfc3339

PERIODS_LATE = 3
_DETAIL_MAX = 300


class PublisherHealth:
    """What the last passes said.

    Args:
        fleet: its name.
        instance: random, anew with each start.
        period: seconds between two passes.
        late_below: seconds of life below which a token should have been renewed.
    """

    def __init__(self, fleet: str, instance: str, *, period: float, late_below: float) -> None:
        self._fleet = fleet
        self._instance = instance
        self._period = period
        self._late_below = late_below
        self._ended_at: float | None = None
        self._failure = ""
        self._tokens: tuple[TokenReport, ...] = ()

    def passed(self, result: PublishResult, now: float) -> None:
        """A pass came to its end; some of its tokens may have failed."""
        self._ended_at, self._failure, self._tokens = now, "", result.tokens

    def failed(self, error: Exception, now: float) -> None:
        """A pass could not even see what is there; what was known of the tokens stays."""
        self._ended_at, self._failure = now, one_line(str(error), _DETAIL_MAX)

    def readiness(self, now: float) -> Readiness:
        """Ready while the last pass ended well and lately, and no token is late or could not be renewed."""
        checks = (self._last_pass(now), *(self._token(token, now) for token in self._tokens))
        failed = tuple(check.name for check in checks if not check.ok)
        return Readiness(
            ready=not failed,
            fleet=self._fleet,
            instance=self._instance,
            as_of=rfc3339(now),
            not_ready=failed,
            checks=checks,
        )

    def _last_pass(self, now: float) -> Check:
        if self._ended_at is None:
            return Check(name="pass", ok=False, detail="it has not finished a pass yet")
        age = now - self._ended_at
        if age > PERIODS_LATE * self._period:
            return Check(name="pass", ok=False, detail=f"its last pass ended {age:.0f} s ago")
        return Check(name="pass", ok=not self._failure, detail=self._failure)

    def _token(self, token: TokenReport, now: float) -> Check:
        left = "nothing usable is there"
        if token.expires_at is not None:
            left = f"{max(0.0, token.expires_at - now):.0f} s left"
        if token.outcome is Outcome.FAILED:
            detail = f"{left}; not renewed: {one_line(token.why, _DETAIL_MAX)}"
            return Check(name=token.name, ok=False, detail=detail)
        late = token.expires_at is None or token.expires_at - now < self._late_below
        return Check(name=token.name, ok=not late, detail=left)
