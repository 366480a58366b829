"""Feed: follows the dispatcher's event stream for one Sight, for as long as it is wanted.

Whatever goes wrong with a connection (it ends, falls silent, sends garbage, or tells of another history)
costs that connection and nothing else: after a pause that grows, within bounds and with jitter, the next one
is opened and says from which revision it goes on.
"""

import asyncio
import traceback
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace

import httpx
import structlog
from httpx_sse import ServerSentEvent, SSEError

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.view.dispatcher import HEARTBEAT_S, Dispatcher
from mcp_server.view.fleet_view import FleetView, Verdict
from mcp_server.view.history import History
from mcp_server.view.reading import Unreadable, read_message
from mcp_server.view.session import Session
from runners.upstream.clock import Clock

log = structlog.get_logger()

_FRAMES_LOGGED = 6
_KINDS = frozenset({"status", "heartbeat"})


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient a feed is, in seconds.

    Attributes:
        first: pause before the second connection, until the stream itself names one.
        longest: no pause is longer.
        mute: a stream that keeps its connection alive, and says nothing in all that time, is left.
    """

    first: float = 1.0
    longest: float = 10.0
    mute: float = 10 * HEARTBEAT_S


@dataclass(frozen=True, slots=True)
class FeedState:
    """How a feed is doing.

    Attributes:
        connected: a stream is open and has said something.
        connections: streams that said something, ever.
        lost: connections that ended or were not made, ever.
        garbage: those of them that were left for what they sent.
    """

    connected: bool = False
    connections: int = 0
    lost: int = 0
    garbage: int = 0


class Feed:
    """Follows one stream after another.

    Args:
        dispatcher: whose.
        view: what the messages are for.
        history: the view's.
        sight: what may be shown.
        clock: waits between connections.
        entropy: gives random bytes, for jitter.
        moved: called whenever the view changed.
        pace: how patient it is.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        view: FleetView,
        history: History,
        sight: Sight,
        clock: Clock,
        entropy: Callable[[int], bytes],
        *,
        moved: Callable[[], None],
        pace: Pace,
    ) -> None:
        self._dispatcher = dispatcher
        self._view = view
        self._history = history
        self._sight = sight
        self._clock = clock
        self._entropy = entropy
        self._moved = moved
        self._pace = pace
        self._first = pace.first
        self._failures = 0
        self.state = FeedState()

    async def run(self) -> None:
        """Follow until cancelled."""
        while True:
            why = await self._connection()
            if self.state.connected or self.state.lost == 0:
                log.warning("view.feed_lost", why=why, everything=self._sight.everything)
            self.state = replace(self.state, connected=False, lost=self.state.lost + 1)
            await self._clock.sleep(self._pause())
            self._failures += 1

    async def _connection(self) -> str:
        """Follow one stream to its end, and say in a word what ended it."""
        try:
            await self._follow()
        except Refused as refused:
            if refused.rule is Rule.DISPATCHER_REFUSED:
                # Who may not ask any more may not show what was heard before, either.
                self._view.forget()
            return refused.rule.value
        except (Unreadable, SSEError):
            self.state = replace(self.state, garbage=self.state.garbage + 1)
            return "garbage"
        except TimeoutError:
            return "mute"
        except httpx.HTTPError as error:
            return type(error).__name__
        except Exception as error:  # noqa: BLE001 - a bug must not leave the view unfollowed for good
            # Places only: the message may quote what was sent.
            frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_LOGGED:]
            where = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
            log.error("view.feed_failed", error=type(error).__name__, where=where)  # noqa: TRY400 - see above
            return "failed"
        return "ended"

    async def _follow(self) -> None:
        view = self._view.view
        session = Session(self._view, self._history)
        last = None if view is None else view.revision
        async with (
            self._dispatcher.stream(self._sight, last, "follow the fleet") as source,
            aclosing(source.aiter_sse()) as events,
        ):
            while True:
                async with asyncio.timeout(self._pace.mute):
                    event = await anext(events, None)
                if event is None or not self._heard(event, session):
                    return

    def _heard(self, event: ServerSentEvent, session: Session) -> bool:
        """Take one event in; False when the connection is of no more use."""
        if event.retry is not None:
            self._first = min(max(event.retry / 1000, self._pace.first), self._pace.longest)
        if event.event not in _KINDS or not event.data:
            # The pause before a client comes back, or what only a newer reader knows.
            return True
        message, read_at = read_message(event.data, self._sight)
        verdict = session.take(message, read_at, self._clock.now())
        if verdict is Verdict.DISBELIEVED:
            log.warning("view.history_not_believed", revision=message.revision)
            return False
        if not self.state.connected:
            log.info("view.feed_connected", revision=message.revision, everything=self._sight.everything)
            self.state = replace(self.state, connected=True, connections=self.state.connections + 1)
        self._failures = 0
        if verdict is Verdict.TAKEN:
            self._moved()
        return True

    def _pause(self) -> float:
        """Doubled with each failure in a row, within bounds, and up to half of it left out by chance."""
        whole = min(self._first * 2.0 ** min(self._failures, 16), self._pace.longest)
        share = int.from_bytes(self._entropy(2), "big") / 0xFFFF
        return whole * (1 - share / 2)
