"""Follow: the fleet as far as one Sight reaches, held in memory, and asked for what memory does not hold.

Every caller with the same Sight shares it: one stream, one view, one question at a time of each kind. What
is answered is at least at the revision that the caller was shown before, or that they ask for: when the view
is behind, one shared question brings it up at once; when that is not enough, news is waited for, a moment.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import StatusSettings
from mcp_server.view import refusals
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.feed import Feed, Pace
from mcp_server.view.fleet_view import FleetView, View
from mcp_server.view.floors import Floors
from mcp_server.view.glass import Deep, M, Params, Seen
from mcp_server.view.history import History
from mcp_server.view.readings import Kept, Query, Readings
from mcp_server.view.refresher import Refresher
from mcp_server.view.visit import Floor, Visit, Wish
from runners.upstream.clock import Clock

# A stale view is worth a short wait for a fresh one, however short a min_revision is waited for.
STALE_WAIT_AT_LEAST_S = 0.5


_NOTHING = Wish("")


@dataclass(frozen=True, slots=True)
class Common:
    """What every Follow of one dispatcher shares.

    Attributes:
        entropy: gives random bytes.
    """

    settings: StatusSettings
    dispatcher: Dispatcher
    history: History
    floors: Floors
    clock: Clock
    entropy: Callable[[int], bytes]
    pace: Pace


class Follow:
    """A Window onto the fleet, opened with its first question.

    Args:
        sight: what may be shown.
        common: what is shared.
    """

    def __init__(self, sight: Sight, common: Common) -> None:
        self.sight = sight
        self._common = common
        self._settings = common.settings
        self._history = common.history
        self._view = FleetView(common.history, common.dispatcher.skew, common.settings.stale_after_s)
        self._feed = Feed(
            common.dispatcher,
            self._view,
            common.history,
            sight,
            common.clock,
            common.entropy,
            moved=self._wake,
            pace=common.pace,
        )
        self._refresher = Refresher(
            common.dispatcher, self._view, common.history, sight, common.clock, moved=self._wake
        )
        self._readings = Readings(
            common.dispatcher, common.history, sight, common.clock, common.settings.reading_kept_s
        )
        self._moved = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.asked_at = common.clock.now()

    @property
    def feed(self) -> Feed:
        """What follows the stream."""
        return self._feed

    def look(self) -> tuple[View, float, bool] | None:
        """The view with its age in seconds and whether it is stale, asking nobody; None without one."""
        view, now = self._view.view, self._common.clock.now()
        return None if view is None else (view, self._view.age(view, now), self._view.stale(view, now))

    def open(self) -> None:
        """Begin to follow."""
        if self._task is None:
            self._task = asyncio.create_task(self._feed.run())

    def leave(self) -> None:
        """Stop following; calls under way still get their answers."""
        if self._task is not None:
            self._task.cancel()

    def tidy(self) -> None:
        """Drop answers that are kept no longer."""
        self._readings.forget_old()

    @property
    def idle(self) -> bool:
        """Whether nothing of it is under way."""
        followed = self._task is not None and not self._task.done()
        return not followed and not self._refresher.busy and not self._readings.busy

    async def close(self) -> None:
        """Stop following, and end every question under way."""
        self.leave()
        if self._task is not None:
            await asyncio.wait({self._task})
        await self._refresher.close()
        await self._readings.close()

    def floor(self, caller: str) -> Floor:
        """The highest revision this caller was shown."""
        return self._common.floors.of(caller, self._history.epoch)

    async def seen(self, visit: Visit, wish: Wish) -> Seen:
        """See ``Glass.status``."""
        view = self._view.view
        now = self._common.clock.now()
        if view is None or not self._reached(view, visit, wish) or self._view.stale(view, now):
            view = await self._brought(visit, wish)
        return self._shown(view, visit)

    def glimpse(self, visit: Visit) -> Seen | None:
        """See ``Glass.glimpse``."""
        view = self._view.view
        return None if view is None or not self._reached(view, visit, _NOTHING) else self._shown(view, visit)

    def _shown(self, view: View, visit: Visit) -> Seen:
        """The view as the caller is shown it now, which raises their floor."""
        now = self._common.clock.now()
        self._common.floors.served(visit.caller, view.epoch, view.revision)
        visit.used(view.revision)
        age, stale = self._view.age(view, now), self._view.stale(view, now)
        return Seen(view.status, view.revision, view.status.as_of, age, stale)

    async def deep(self, visit: Visit, wish: Wish, path: str, params: Params, model: type[M]) -> Deep[M]:
        """See ``Glass.get``."""
        query = Query(path, params, model)
        kept = await self._read(query, visit, wish)
        if not self._enough(kept, visit, wish):
            # Behind what the caller knows, or of another history: asked once more after the view is there.
            view = self._view.view
            if view is None or not self._reached(view, visit, wish):
                await self._brought(visit, wish)
            kept = await self._read(query, visit, wish)
        if not self._enough(kept, visit, wish):
            raise refusals.not_reached(wish.attempted)
        if kept.refused is not None:
            raise refusals.reworded(kept.refused, wish.attempted)
        answer = cast(M, kept.answer)
        self._common.floors.served(visit.caller, self._history.epoch, answer.revision)
        visit.used(answer.revision, (kept.request_id,))
        ours = min(kept.received_at, self._common.dispatcher.skew.ours(kept.read_at))
        age = max(0.0, self._common.clock.now() - ours)
        return Deep(answer, answer.revision, answer.as_of, age, age > self._settings.stale_after_s)

    async def _read(self, query: Query, visit: Visit, wish: Wish) -> Kept:
        try:
            return await self._readings.ask(
                query,
                lambda kept: self._enough(kept, visit, wish),
                call_id=visit.call_id,
                attempted=wish.attempted,
            )
        except Refused as refused:
            # Perhaps another call asked, in other words.
            raise refusals.reworded(refused, wish.attempted) from refused

    async def _brought(self, visit: Visit, wish: Wish) -> View:
        """The view after it was brought up to what the call requires."""
        view = self._view.view
        limit = None
        if view is not None and self._reached(view, visit, wish):
            # There is one that would do, if need be: only stale.
            limit = max(self._settings.revision_wait_s, STALE_WAIT_AT_LEAST_S)
        fault = await self._refreshed(visit, wish, limit)
        view = self._view.view
        if view is None:
            if fault is not None and fault.rule is Rule.DISPATCHER_REFUSED:
                raise refusals.reworded(fault, wish.attempted)
            raise refusals.view_missing(wish.attempted, fault)
        return view if self._reached(view, visit, wish) else await self._waited(visit, wish)

    async def _refreshed(self, visit: Visit, wish: Wish, limit: float | None) -> Refused | None:
        """Ask for the status for at most ``limit`` seconds; the fault when that fails."""
        try:
            async with asyncio.timeout(limit):
                visit.asked(await self._refresher.refresh(visit.call_id, lambda: self._is_good(visit, wish)))
        except TimeoutError:
            return None
        except Refused as fault:
            return fault
        return None

    async def _waited(self, visit: Visit, wish: Wish) -> View:
        """The view once news has brought it far enough."""
        try:
            async with asyncio.timeout(self._settings.revision_wait_s):
                while True:
                    view = self._view.view
                    if view is not None and self._reached(view, visit, wish):
                        return view
                    await self._moved.wait()
        except TimeoutError:
            raise refusals.not_reached(wish.attempted) from None

    def _wake(self) -> None:
        """The view changed: everyone who waits looks again."""
        self._moved.set()
        self._moved = asyncio.Event()

    def _is_good(self, visit: Visit, wish: Wish) -> bool:
        view = self._view.view
        if view is None or not self._reached(view, visit, wish):
            return False
        return not self._view.stale(view, self._common.clock.now())

    def _reached(self, view: View, visit: Visit, wish: Wish) -> bool:
        return view.revision >= visit.required(wish, self._history.epoch)

    def _enough(self, kept: Kept, visit: Visit, wish: Wish) -> bool:
        epoch = self._history.epoch
        return kept.enough(epoch, visit.required(wish, epoch))
