"""Readings: answers of the dispatcher to one Sight, each asked once and kept for a moment.

Dozens of agents ask nearly the same within a second. An answer serves the same question again while it is
young, and only a caller to whom it is new enough.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.view import refusals
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.flights import Flights
from mcp_server.view.glass import Dated, Params
from mcp_server.view.history import History
from mcp_server.view.reading import Unreadable, read_answer
from runners.upstream.clock import Clock

KEPT_MAX = 64
"""Of one Sight; a page of a long list may take a megabyte."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One answer, or that there is none.

    Attributes:
        answer: None when the dispatcher said "not found".
        refused: how that is worded, or None.
        holds_at: it holds at this revision, and perhaps at later ones: the answer's own; of "not found" the
            highest heard of when it was asked.
        read_at: when the dispatcher read it, by its clock; of "not found" when it was asked, by ours.
        received_at: when it arrived, by ours.
        epoch: of the history it belongs to; None when it belongs to none that is followed.
        request_id: of the exchange.
    """

    answer: Dated | None
    refused: Refused | None
    holds_at: int
    read_at: float
    received_at: float
    epoch: int | None
    request_id: str

    def enough(self, epoch: int, required: int) -> bool:
        """Whether it may be shown to somebody who requires a revision of the history ``epoch``."""
        return self.epoch == epoch and self.holds_at >= required


@dataclass(frozen=True, slots=True)
class Query:
    """A question.

    Attributes:
        model: what its answer is read as.
    """

    path: str
    params: Params
    model: type[Dated]

    @property
    def key(self) -> Hashable:
        """Equal for questions with the same answer."""
        params = (
            (name, value if isinstance(value, str | int) else tuple(value))
            for name, value in self.params.items()
        )
        return self.path, tuple(sorted(params, key=lambda param: param[0])), self.model


class Readings:
    """Asks for one Sight.

    Args:
        dispatcher: who is asked.
        history: judges revisions.
        sight: what may be shown.
        clock: tells how old a kept answer is.
        kept_s: seconds an answer serves again.
    """

    def __init__(
        self, dispatcher: Dispatcher, history: History, sight: Sight, clock: Clock, kept_s: float
    ) -> None:
        self._dispatcher = dispatcher
        self._history = history
        self._sight = sight
        self._clock = clock
        self._kept_s = kept_s
        self._kept: dict[Hashable, Kept] = {}
        self._flights: Flights[Kept] = Flights()

    @property
    def busy(self) -> bool:
        """Whether a question is under way."""
        return self._flights.busy

    async def ask(
        self, query: Query, enough: Callable[[Kept], bool], *, call_id: str, attempted: str
    ) -> Kept:
        """An answer: kept, under way, or asked now. One that was asked now need not be ``enough``.

        Raises:
            Refused: as ``Dispatcher.get``, but for NOT_FOUND, which is an answer like others.
        """
        key = query.key
        kept = self._kept.get(key)
        if kept is not None and self._is_young(kept) and enough(kept):
            return kept

        async def fly() -> Kept:
            found = await self._asked(query, call_id, attempted)
            self._keep(key, found)
            return found

        return await self._flights.join(key, fly, enough)

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.settle()

    async def _asked(self, query: Query, call_id: str, attempted: str) -> Kept:
        asked, asked_at = self._history.asked(), self._clock.now()
        try:
            got = await self._dispatcher.get(
                query.path, query.params, self._sight, call_id=call_id, attempted=attempted
            )
        except Refused as refused:
            if refused.rule is not Rule.NOT_FOUND:
                raise
            now, epoch = self._clock.now(), self._history.epoch
            known = epoch if asked.epoch == epoch else None
            return Kept(None, refused, asked.highest, asked_at, now, known, "")
        try:
            answer, read_at = read_answer(got.body, query.model)
        except Unreadable as error:
            raise refusals.unusable(attempted) from error
        now = self._clock.now()
        self._dispatcher.skew.heard(read_at, now)
        believed = self._history.believes(answer.revision, asked, now)
        epoch = self._history.epoch
        return Kept(answer, None, answer.revision, read_at, now, epoch if believed else None, got.request_id)

    def forget_old(self) -> None:
        """Drop what serves nobody any more: an answer is large beside the moment for which it is kept."""
        for key, kept in list(self._kept.items()):
            if self._is_young(kept):
                # Those behind it came later.
                return
            del self._kept[key]

    def _keep(self, key: Hashable, kept: Kept) -> None:
        self.forget_old()
        if kept.epoch is None or self._kept_s <= 0:
            return
        self._kept.pop(key, None)
        if len(self._kept) >= KEPT_MAX:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = kept

    def _is_young(self, kept: Kept) -> bool:
        return 0 <= self._clock.now() - kept.received_at <= self._kept_s
