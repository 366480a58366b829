"""FleetView: the fleet in memory as one Sight shows it; its revision never goes back within one history.

Pure: it is told what arrived and when. The newest of what streams and answers brought is kept, in whatever
order they come: by revision, and at one revision by when the dispatcher read it.
"""

from dataclasses import dataclass
from enum import Enum, auto

from mcp_server.view.history import Asked, History
from mcp_server.view.skew import Skew
from runners.wire.status import FleetStatus

# A clock that is slewed is not one that was set back.
_SET_BACK_S = 1.0


class Verdict(Enum):
    """What became of a status."""

    TAKEN = auto()
    """It is the view now."""
    OLDER = auto()
    """It belongs to this history, and the view is newer."""
    DISBELIEVED = auto()
    """It belongs to another history; whoever sent it must be asked anew."""


@dataclass(frozen=True, slots=True)
class View:
    """What the dispatcher said.

    Attributes:
        read_at: when it read that, by its own clock.
        received_at: when it arrived, by ours.
        frame: of the Skew at that time.
        epoch: of the history it belongs to.
    """

    status: FleetStatus
    revision: int
    read_at: float
    received_at: float
    frame: int
    epoch: int


class FleetView:
    """Keeps the newest View.

    Args:
        history: shared by every view of one dispatcher.
        skew: likewise.
        stale_after_s: age past which nobody can say that a view still holds.
    """

    def __init__(self, history: History, skew: Skew, stale_after_s: float) -> None:
        self._history = history
        self._skew = skew
        self._stale_after_s = stale_after_s
        self._view: View | None = None

    @property
    def view(self) -> View | None:
        """The newest View of the history that is followed; None before the first."""
        view = self._view
        return view if view is not None and view.epoch == self._history.epoch else None

    def take(self, status: FleetStatus, read_at: float, asked: Asked, now: float) -> Verdict:
        """A status arrived.

        Args:
            status: what it says.
            read_at: its ``as_of``, Unix seconds.
            asked: what was known when it was asked for.
            now: by our clock.
        """
        if not self._history.believes(status.revision, asked, now):
            return Verdict.DISBELIEVED
        self._skew.heard(read_at, now)
        new = View(status, status.revision, read_at, now, self._skew.frame, self._history.epoch)
        old = self.view
        if old is not None and (new.revision, self._ours(new)) < (old.revision, self._ours(old)):
            return Verdict.OLDER
        self._view = new
        return Verdict.TAKEN

    def forget(self) -> None:
        """Drop the view: the dispatcher said that it may no longer be shown."""
        self._view = None

    def age(self, view: View, now: float) -> float:
        """Seconds since the dispatcher read it, however the clocks differ and wherever it was held back."""
        return max(0.0, now - self._ours(view))

    def stale(self, view: View, now: float) -> bool:
        """Whether nobody can say that it still holds."""
        set_back = now < view.received_at - _SET_BACK_S
        return set_back or self.age(view, now) > self._stale_after_s

    def _ours(self, view: View) -> float:
        """When it was read, by our clock; once a clock was set, when it arrived is all that is known."""
        if view.frame != self._skew.frame:
            return view.received_at
        return min(view.received_at, self._skew.ours(view.read_at))
