"""Observer: who wants to learn of every record that became durable, such as the statistics."""

from collections.abc import Awaitable, Sequence
from typing import Protocol

from mcp_server.audit.record import Record
from mcp_server.audit.segments import Segment


class Observer(Protocol):
    """Learns of every durable record: first of those of earlier processes, then of each new one."""

    def rebuild(self, older: Sequence[Segment], now: float) -> None:
        """Read what is there already; called once, in a thread, before anything else."""
        ...

    def observe(self, record: Record) -> None:
        """A record became durable; called on the event loop."""
        ...

    def closed(self, segment: Segment, size: int, head: str) -> Awaitable[None]:
        """A file got its last record, whose hash is ``head``.

        The call itself is quick; what it gives back may take its time.
        """
        ...

    def removed(self, segment: Segment) -> None:
        """A file is gone, because it was old; called in a thread."""
        ...
