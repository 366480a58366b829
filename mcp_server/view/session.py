"""Session: one connection's stream of messages, understood in order.

A heartbeat says that the fleet looks as the last status of the same stream said, now at this revision. So it
is read as that status over again; a view that a question made newer meanwhile is not stamped with it.
"""

from dataclasses import replace

from mcp_server.view.fleet_view import FleetView, Verdict
from mcp_server.view.history import Asked, History
from mcp_server.view.reading import Unreadable
from runners.wire.status import FleetStatus
from runners.wire.stream import StreamMessage


class Session:
    """Pure; make one just before connecting.

    Args:
        view: what the messages are for.
        history: the view's.
    """

    def __init__(self, view: FleetView, history: History) -> None:
        self._view = view
        self._history = history
        self._asked: Asked = history.asked()
        self._said: FleetStatus | None = None

    def take(self, message: StreamMessage, read_at: float, now: float) -> Verdict:
        """A message arrived.

        Args:
            message: as sent.
            read_at: its time, Unix seconds by the dispatcher's clock.
            now: by ours.

        Returns:
            What became of it; once DISBELIEVED, the connection is of no more use.

        Raises:
            Unreadable: it cannot follow on what was said before.
        """
        status = self._status_of(message)
        if self._said is not None and status.revision < self._said.revision:
            raise Unreadable("a stream whose revision goes back")
        verdict = self._view.take(status, read_at, self._asked, now)
        if verdict is not Verdict.DISBELIEVED:
            self._said = status
            # Later messages may be older than answers to questions: they are held to this stream alone.
            self._asked = replace(self._history.asked(), highest=status.revision)
        return verdict

    def _status_of(self, message: StreamMessage) -> FleetStatus:
        if message.status is not None:
            return message.status
        if self._said is None:
            raise Unreadable("a heartbeat before any status")
        return self._said.model_copy(update={"revision": message.revision, "as_of": message.as_of})
