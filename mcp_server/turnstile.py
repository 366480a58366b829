"""Turnstile: refusals before the rate limit are recorded too, and a flood of them cannot fill the disk.

Calls that pass the rate limit are few by that limit, so each has a record of its own. Those refused before it
(no token, no scope, too many calls) have no such bound: of one caller and rule, the first within a second is
recorded at once; those that follow in the same second share one record, which says how many they are, and
wait for it like everybody else.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from mcp_server.audit.record import Entry
from runners.upstream.clock import Clock

SHARED_S = 1.0
# Callers are few; the bound is for tokens that were revoked and come back for ever under new ids.
KEYS_MAX = 4096


@dataclass
class _Window:
    began: float
    waiting: "_Group | None" = None


@dataclass
class _Group:
    entry: Entry
    written: asyncio.Task[None]


class Turnstile:
    """Records refusals, at most two records a second for each caller and rule.

    Args:
        append: makes an entry durable.
        clock: measures the second.
    """

    def __init__(self, append: Callable[[Entry], Awaitable[object]], clock: Clock) -> None:
        self._append = append
        self._clock = clock
        self._windows: dict[tuple[str, str], _Window] = {}

    async def record(self, entry: Entry) -> None:
        """Return when a record covers this refusal.

        Raises:
            Refused: the audit log cannot be written.
        """
        key = (entry.caller, entry.rule)
        now = self._clock.now()
        window = self._windows.get(key)
        if window is None or not 0 <= now - window.began < SHARED_S:
            self._forget(now)
            self._windows[key] = _Window(now)
            await self._append(entry)
            return
        group = window.waiting
        if group is None:
            rest = window.began + SHARED_S - now
            group = _Group(entry, asyncio.create_task(self._write(window, rest)))
            window.waiting = group
        else:
            group.entry = replace(group.entry, repeats=group.entry.repeats + 1)
        # One who gives up waiting must not take the record away from the others.
        await asyncio.shield(group.written)

    async def _write(self, window: _Window, rest: float) -> None:
        await self._clock.sleep(rest)
        group, window.waiting = window.waiting, None
        window.began = self._clock.now()
        if group is not None:
            await self._append(group.entry)

    def _forget(self, now: float) -> None:
        if len(self._windows) < KEYS_MAX:
            return
        over = [
            key
            for key, window in self._windows.items()
            if window.waiting is None and not 0 <= now - window.began < SHARED_S
        ]
        for key in over:
            del self._windows[key]
