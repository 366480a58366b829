"""Reading: the live rows at one revision, read once and shared by everyone who asks at that revision.

Each reader of the status, each stream and each scrape needs the same rows. They are read in one transaction,
the revision first, and kept until the revision moves on; at most a second, since a few fields change without
an event.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from runners.model.nouns import Job, Machine, Runner
from runners.store import events, jobs, machines, pools, runners
from runners.store.engine import Store
from runners.store.pools import PoolOverride
from runners.upstream.clock import Clock

KEPT_S = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The live rows.

    Attributes:
        revision: of the event log, read first: the rows are at least as new.
        at: when they were read, Unix seconds.
        jobs: waiting, queued and in_progress ones that are not refused, oldest accepted first.
        machines: those that are not gone.
        runners: those that are not gone.
        overrides: by pool, what operators overrode.
        paused: what operators said of the whole fleet, None for nothing.
    """

    revision: int
    at: float
    jobs: tuple[Job, ...]
    machines: tuple[Machine, ...]
    runners: tuple[Runner, ...]
    overrides: Mapping[str, PoolOverride]
    paused: bool | None


class Reader:
    """Reads, and remembers the latest Reading."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._latest: Reading | None = None

    async def read(self) -> Reading:
        """The fleet now.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        return await self._store.run(self.within)

    def within(self, conn: Connection) -> Reading:
        """The same inside a transaction that also reads other things."""
        now = self._clock.now()
        revision = events.revision(conn)
        kept = self._latest
        if kept is not None and kept.revision == revision and 0 <= now - kept.at < KEPT_S:
            return kept
        reading = Reading(
            revision=revision,
            at=now,
            jobs=jobs.live(conn),
            machines=machines.live(conn),
            runners=runners.live(conn),
            overrides=pools.overrides(conn),
            paused=pools.fleet_paused(conn),
        )
        self._latest = reading
        return reading
