"""Floors: the highest revision each caller was shown, in bounded memory."""

from collections import OrderedDict

from mcp_server.view.visit import Floor

CALLERS_MAX = 10_000


class Floors:
    """Remembers per caller; of those who were forgotten, together.

    Args:
        callers_max: so many are remembered, the latest served; whoever was forgotten has the highest floor
            of all forgotten ones, which is never too low.
    """

    def __init__(self, callers_max: int = CALLERS_MAX) -> None:
        self._callers_max = callers_max
        self._epoch = 0
        self._floors: OrderedDict[str, int] = OrderedDict()
        self._forgotten = 0

    def of(self, caller: str, epoch: int) -> Floor:
        """The caller's floor in the history ``epoch``."""
        if epoch != self._epoch:
            return Floor(epoch, 0)
        return Floor(epoch, self._floors.get(caller, self._forgotten))

    def served(self, caller: str, epoch: int, revision: int) -> None:
        """The caller was shown ``revision`` of the history ``epoch``; an epoch that is over is ignored."""
        if epoch < self._epoch:
            return
        if epoch > self._epoch:
            self._epoch, self._forgotten = epoch, 0
            self._floors.clear()
        if revision <= self._floors.get(caller, self._forgotten):
            return
        self._floors[caller] = revision
        self._floors.move_to_end(caller)
        if len(self._floors) > self._callers_max:
            _, lowest_use = self._floors.popitem(last=False)
            self._forgotten = max(self._forgotten, lowest_use)
