"""GitHub's rate limits: requests per hour and points per minute, counted per installation.

As GitHub documents them. Primary: 5,000 requests an hour. Secondary: 900 points a minute; a GET costs 1 and
a mutating request 5. A simulated world that runs `scale` times faster multiplies both, so that a fleet may do
in one fast minute what it could do in `scale` real ones.
"""

import math
from collections import deque
from dataclasses import dataclass, field

from simulator.clock import Clock
from simulator.draws import Draws
from simulator.github.problems import GitHubProblem
from simulator.journal import Journal

PRIMARY_PER_HOUR = 5_000
SECONDARY_PER_MINUTE = 900
READ_POINTS = 1
WRITE_POINTS = 5
HOUR = 3_600.0
MINUTE = 60.0


@dataclass(slots=True)
class _Account:
    """What one installation has used."""

    window_ends: float = 0.0
    used: int = 0
    points: deque[tuple[float, int]] = field(default_factory=deque)


@dataclass(frozen=True, slots=True)
class Quota:
    """The primary limit as `x-ratelimit-*` headers and GET /rate_limit tell it."""

    limit: int
    remaining: int
    reset: int
    used: int

    def headers(self) -> dict[str, str]:
        """The response headers of every answered request."""
        return {
            "x-ratelimit-limit": str(self.limit),
            "x-ratelimit-remaining": str(self.remaining),
            "x-ratelimit-reset": str(self.reset),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-resource": "core",
        }


class RateLimits:
    """Counts and refuses.

    Args:
        clock: tells when windows end.
        draws: pick between the two statuses GitHub uses for the secondary limit.
        journal: receives `rate_limited` (which, method, path, status, retry_after).
        scale: multiplies both limits.
    """

    def __init__(self, clock: Clock, draws: Draws, journal: Journal, scale: float) -> None:
        self._clock = clock
        self._draws = draws
        self._journal = journal
        self.primary = int(PRIMARY_PER_HOUR * scale)
        self.secondary = SECONDARY_PER_MINUTE * scale
        self._accounts: dict[int, _Account] = {}

    def spend(self, installation_id: int, method: str, path: str) -> None:
        """Charge one request.

        Raises:
            GitHubProblem: 403 with `x-ratelimit-remaining: 0` (primary), or 403/429 with `retry-after`
                (secondary). A refused request costs nothing.
        """
        account = self._current(installation_id)
        if account.used >= self.primary:
            self._journal.record("rate_limited", which="primary", method=method, path=path, status=403)
            raise GitHubProblem(
                403,
                f"API rate limit exceeded for installation ID {installation_id}.",
                headers=self.quota(installation_id).headers(),
            )
        cost = READ_POINTS if method in {"GET", "HEAD", "OPTIONS"} else WRITE_POINTS
        spent = sum(points for _, points in account.points)
        if spent + cost > self.secondary:
            raise self._secondary(account, installation_id, method, path)
        account.points.append((self._clock.now(), cost))
        account.used += 1

    def quota(self, installation_id: int) -> Quota:
        """What is left of the primary limit."""
        account = self._current(installation_id)
        reset = math.ceil(account.window_ends)
        return Quota(self.primary, max(0, self.primary - account.used), reset, account.used)

    def _secondary(self, account: _Account, installation_id: int, method: str, path: str) -> GitHubProblem:
        """GitHub answers 403 or 429 ("you may receive"): both must be understood."""
        wait = max(1, math.ceil(account.points[0][0] + MINUTE - self._clock.now())) if account.points else 60
        status = self._draws.of("limit", path, self._journal.last_seq).choice((403, 429))
        self._journal.record(
            "rate_limited", which="secondary", method=method, path=path, status=status, retry_after=wait
        )
        return GitHubProblem(
            status,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            headers={"retry-after": str(wait), **self.quota(installation_id).headers()},
        )

    def _current(self, installation_id: int) -> _Account:
        now = self._clock.now()
        account = self._accounts.setdefault(installation_id, _Account())
        if account.window_ends <= now:
            account.window_ends, account.used = now + HOUR, 0
        while account.points and account.points[0][0] <= now - MINUTE:
            account.points.popleft()
        return account
