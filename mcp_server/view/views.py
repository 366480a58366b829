"""Views: one Follow per distinct Sight, opened at the first question and left when nobody asks any more."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from mcp_server.caller import Caller, Sight
from mcp_server.settings import StatusSettings
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.feed import Pace
from mcp_server.view.floors import Floors
from mcp_server.view.follow import Common, Follow
from mcp_server.view.glass import Glass
from mcp_server.view.history import History
from runners.upstream.clock import Clock

log = structlog.get_logger()

VIEWS_MAX = 128
"""Half of the streams that a dispatcher opens; its operators and its own pages need some, too."""

# How often idle views are looked for, as a share of the time after which they are.
_SWEEPS_PER_IDLE = 4


@dataclass(frozen=True, slots=True)
class Condition:
    """How well the fleet is followed, for a health check.

    Attributes:
        age_s: of the view that is always followed; None when there is none.
        stale: that view is older than the limit, or there is none.
        connected: its stream is open.
        views: distinct Sights that are followed.
        epoch: how often another history took the place of the one followed.
        disbelieved: answers of another history that were not believed.
        lost: connections of its stream that ended or were not made.
        garbage: those of them that were left for what they sent.
    """

    age_s: float | None
    stale: bool
    connected: bool
    views: int
    epoch: int
    disbelieved: int
    lost: int
    garbage: int


class Views:
    """Gives each call its Glass.

    Args:
        settings: the figures.
        dispatcher: who is asked and followed; closed by whoever made it.
        clock: ages and idleness.
        entropy: gives random bytes.
        always: the Sight followed from ``start`` to ``close``, asked or not; health is told of it.
        views_max: so many are followed at once; the least recently asked gives way.
        pace: how patient each feed is.
    """

    def __init__(
        self,
        settings: StatusSettings,
        dispatcher: Dispatcher,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        always: Sight = Sight(),  # noqa: B008 - frozen
        views_max: int = VIEWS_MAX,
        pace: Pace = Pace(),  # noqa: B008 - frozen
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._always = always
        self._views_max = max(2, views_max)
        self._history = History(settings.stale_after_s, _told)
        self._common = Common(settings, dispatcher, self._history, Floors(), clock, entropy, pace)
        self._follows: OrderedDict[Sight, Follow] = OrderedDict()
        self._left: set[Follow] = set()
        self._sweeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow, and to look for what nobody asks any more."""
        self._follow(self._always)
        self._sweeper = asyncio.create_task(self._sweep_always())

    async def close(self) -> None:
        """Stop following and end every question under way."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait({self._sweeper})
        follows = {*self._follows.values(), *self._left}
        self._follows.clear()
        self._left.clear()
        for follow in follows:
            await follow.close()

    def glass(self, caller: Caller, call_id: str) -> Glass:
        """The fleet as this caller may see it, for one call."""
        return Glass(self._follow(caller.sight), caller.id, call_id)

    def sweep(self) -> int:
        """Leave every view that nobody has asked for ``view_idle_s``; how many were left."""
        now = self._clock.now()
        idle = [
            sight
            for sight, follow in self._follows.items()
            if sight != self._always and now - follow.asked_at > self._settings.view_idle_s
        ]
        for sight in idle:
            self._leave(sight)
        for follow in self._follows.values():
            follow.tidy()
        self._left = {each for each in self._left if not each.idle}
        return len(idle)

    @property
    def condition(self) -> Condition:
        """How well the fleet is followed."""
        follow = self._follows.get(self._always)
        look = None if follow is None else follow.look()
        state = None if follow is None else follow.feed.state
        return Condition(
            age_s=None if look is None else look[1],
            stale=look is None or look[2],
            connected=state is not None and state.connected,
            views=len(self._follows),
            epoch=self._history.epoch,
            disbelieved=self._history.disbelieved,
            lost=0 if state is None else state.lost,
            garbage=0 if state is None else state.garbage,
        )

    def _follow(self, sight: Sight) -> Follow:
        follow = self._follows.get(sight)
        if follow is None:
            if len(self._follows) >= self._views_max:
                self._leave(next(each for each in self._follows if each != self._always))
            follow = self._follows[sight] = Follow(sight, self._common)
            follow.open()
        follow.asked_at = self._clock.now()
        self._follows.move_to_end(sight)
        return follow

    def _leave(self, sight: Sight) -> None:
        follow = self._follows.pop(sight)
        follow.leave()
        # Calls under way may still use it; it is closed for good with the rest, or forgotten when idle.
        self._left = {each for each in self._left if not each.idle}
        self._left.add(follow)

    async def _sweep_always(self) -> None:
        while True:
            await self._clock.sleep(self._settings.view_idle_s / _SWEEPS_PER_IDLE)
            self.sweep()


def _told(old: int, new: int) -> None:
    log.warning(
        "view.history_began_anew",
        highest_before=old,
        revision=new,
        meaning="the dispatcher's event log is another one: a restored database, or another dispatcher",
    )
