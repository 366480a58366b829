"""Changes: tells every open stream that something may have changed; it carries no data.

A listener that is slow, or gone, holds at most one pending wake-up, however much happens: what changed is
read from the store by whoever wakes. A notification without a listener is lost, harmlessly for that reason.
"""

import asyncio
from typing import Self

from runners.upstream.clock import Clock


class Changes:
    """A broadcaster without a message. ``close`` ends every stream, for a shutdown that waits for none."""

    def __init__(self) -> None:
        self._listeners: set[Listener] = set()
        self._closed = False

    def notify(self) -> None:
        """Wake every listener; call it after a commit."""
        for listener in self._listeners:
            listener.wake()

    def close(self) -> None:
        """End every listener, now and in future."""
        self._closed = True
        self.notify()

    @property
    def closed(self) -> bool:
        """Whether there will be no more changes to wait for."""
        return self._closed

    @property
    def listening(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    def listen(self) -> "Listener":
        """A context that hears from now on; enter it before reading the store."""
        return Listener(self._listeners)


class Listener:
    """Hears changes while entered."""

    def __init__(self, listeners: "set[Listener]") -> None:
        self._listeners = listeners
        self._woken = asyncio.Event()

    def __enter__(self) -> Self:
        self._listeners.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._listeners.discard(self)

    def wake(self) -> None:
        """Something may have changed."""
        self._woken.set()

    async def heard(self, seconds: float, clock: Clock) -> bool:
        """Whether something changed within ``seconds``; a change since the last call counts."""
        waits = {asyncio.ensure_future(self._woken.wait()), asyncio.ensure_future(clock.sleep(seconds))}
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        heard = self._woken.is_set()
        self._woken.clear()
        return heard
