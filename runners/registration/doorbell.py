"""Doorbell: wakes the claims that wait for one Machine's registration; it carries no data.

A ring without a waiter is lost, which is harmless: the claim reads the store before it waits, and again when
its poll ends. With several dispatchers, LISTEN/NOTIFY rings the other replicas' bells.
"""

import asyncio
from collections import defaultdict
from typing import Self


class Doorbell:
    """One bell per Machine name."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)

    def ring(self, machine: str) -> None:
        """Wake every claim of this Machine now."""
        for bell in self._waiting.get(machine, ()):
            bell.set()

    def listen(self, machine: str) -> "Listener":
        """A context that hears rings from now on; enter it before reading the store."""
        return Listener(self._waiting, machine)


class Listener:
    """Hears one Machine's rings while entered."""

    def __init__(self, waiting: defaultdict[str, set[asyncio.Event]], machine: str) -> None:
        self._waiting = waiting
        self._machine = machine
        self._bell = asyncio.Event()

    def __enter__(self) -> Self:
        self._waiting[self._machine].add(self._bell)
        return self

    def __exit__(self, *_: object) -> None:
        bells = self._waiting[self._machine]
        bells.discard(self._bell)
        if not bells:
            del self._waiting[self._machine]

    async def heard(self, seconds: float) -> bool:
        """Whether it rang within ``seconds``; a ring since the last call counts."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._bell.wait()
        except TimeoutError:
            return False
        self._bell.clear()
        return True
