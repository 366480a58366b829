"""Refresher: asks for the whole status when the stream has not brought it, once for all who need it."""

from collections.abc import Callable

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.view import refusals
from mcp_server.view.dispatcher import Dispatcher
from mcp_server.view.fleet_view import FleetView, Verdict
from mcp_server.view.flights import Flights
from mcp_server.view.history import History
from mcp_server.view.reading import Unreadable, read_status
from runners.upstream.clock import Clock

STATUS_PATH = "/v1/status"
_LOOK = "look at the fleet"

# After a failed question callers are answered from what there is, instead of each waiting for the next one.
PAUSE_S = 2.0


class Refresher:
    """Brings one view up to date.

    Args:
        dispatcher: who is asked.
        view: what the answers are for.
        history: the view's.
        sight: what may be shown.
        clock: times of answers and pauses.
        moved: called whenever the view changed.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        view: FleetView,
        history: History,
        sight: Sight,
        clock: Clock,
        *,
        moved: Callable[[], None],
    ) -> None:
        self._dispatcher = dispatcher
        self._view = view
        self._history = history
        self._sight = sight
        self._clock = clock
        self._moved = moved
        self._flights: Flights[str] = Flights()
        self._fault: Refused | None = None
        self._fault_at = 0.0

    @property
    def busy(self) -> bool:
        """Whether a question is under way."""
        return self._flights.busy

    async def refresh(self, call_id: str, enough: Callable[[], bool]) -> str:
        """Ask for the status, or wait for the answer to who asked before; the id of the exchange.

        Args:
            call_id: names the call to the dispatcher.
            enough: whether the view will do now; tells if an answer that was asked for before this call does.

        Raises:
            Refused: it was asked for in vain, now or a moment ago.
        """
        if self._fault is not None and 0 <= self._clock.now() - self._fault_at < PAUSE_S:
            raise self._fault
        return await self._flights.join(STATUS_PATH, lambda: self._ask(call_id), lambda _: enough())

    async def close(self) -> None:
        """End what is under way."""
        await self._flights.settle()

    async def _ask(self, call_id: str) -> str:
        asked = self._history.asked()
        try:
            got = await self._dispatcher.get(STATUS_PATH, {}, self._sight, call_id=call_id, attempted=_LOOK)
            heard = read_status(got.body, self._sight)
        except Unreadable as error:
            fault = refusals.unusable(_LOOK)
            self._failed(fault)
            raise fault from error
        except Refused as fault:
            self._failed(fault)
            raise
        self._fault = None
        if self._view.take(heard.status, heard.read_at, asked, self._clock.now()) is Verdict.TAKEN:
            self._moved()
        return got.request_id

    def _failed(self, fault: Refused) -> None:
        self._fault, self._fault_at = fault, self._clock.now()
        if fault.rule is Rule.DISPATCHER_REFUSED:
            # Who may not ask any more may not show what was heard before, either.
            self._view.forget()
