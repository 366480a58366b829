"""Tries: how often one client may show a wrong token before it has to wait.

A token has 256 random bits, so nobody guesses one; this keeps whoever tries from filling the log and asking
the store without end. It is per client, since one count for all would let any stranger lock everybody out.
"""

from collections import deque

TRIES_MAX = 8
WINDOW_S = 60.0
# Whoever invents addresses to get more tries gets them, and no more memory.
CLIENTS_MAX = 1000


class Tries:
    """Counts wrong tries by client within a sliding window."""

    def __init__(self) -> None:
        self._wrong: dict[str, deque[float]] = {}

    def wait_s(self, client: str, now: float) -> float:
        """Seconds until this client may try again, 0 for now."""
        times = self._wrong.get(client)
        if times is None or len(times) < TRIES_MAX:
            return 0.0
        # A clock that was set back must not lock anybody out for longer than the window.
        return min(WINDOW_S, max(0.0, times[0] + WINDOW_S - now))

    def wrong(self, client: str, now: float) -> None:
        """Note a wrong try."""
        times = self._wrong.pop(client, None) or deque(maxlen=TRIES_MAX)
        times.append(now)
        while len(self._wrong) >= CLIENTS_MAX:
            del self._wrong[next(iter(self._wrong))]
        self._wrong[client] = times

    def right(self, client: str) -> None:
        """Forget a client that showed a good token."""
        self._wrong.pop(client, None)
