"""Sight: what a limited reader may see, in lists, counts, the stream and "not found" alike.

Two rules. What belongs to a job (the job, the runner that runs it, their events, usage) is seen only where
both its repository and its pool are. What belongs to a pool (caps, Machines, spares, money) is capacity: it
is seen with the pool, since an answer to "may I queue" that left out what others use would be wrong.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from sqlalchemy import Connection

from runners.model.nouns import Event, Job, Runner
from runners.model.settings import PoolSettings, Settings
from runners.store import jobs, machines, runners


@dataclass(frozen=True, slots=True)
class Sight:
    """The limits of one reader; empty means unlimited.

    Attributes:
        repositories: ``owner/name`` patterns.
        pools: names.
        within: another Sight that must allow it, too. Two sets of patterns have no common pattern in general,
            so an intersection is not computed: both are asked.
    """

    repositories: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()
    within: "Sight | None" = None
    # A fleet has thousands of jobs of few repositories: each is matched against the patterns once.
    _matched: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    def narrowed(self, repositories: tuple[str, ...] = (), pools: tuple[str, ...] = ()) -> "Sight":
        """What this Sight and these limits both allow; never more than this Sight alone."""
        return Sight(repositories, pools, within=self) if repositories or pools else self

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return not self.repositories and not self.pools and (self.within is None or self.within.everything)

    @property
    def by_repository(self) -> bool:
        """Whether any repository is hidden."""
        return bool(self.repositories) or (self.within is not None and self.within.by_repository)

    def repository(self, name: str) -> bool:
        """Whether what belongs to this repository may be seen."""
        lower = name.lower()
        if lower not in self._matched:
            allowed = not self.repositories or any(
                fnmatchcase(lower, each.lower()) for each in self.repositories
            )
            self._matched[lower] = allowed and (self.within is None or self.within.repository(name))
        return self._matched[lower]

    def owner(self, owner: str) -> bool:
        """Whether some repository of this owner may be seen, as far as each set of patterns tells alone."""
        allowed = not self.repositories or any(
            fnmatchcase(owner, each.lower().partition("/")[0]) for each in self.repositories
        )
        return allowed and (self.within is None or self.within.owner(owner))

    def pool_name(self, name: str | None) -> bool:
        """Whether the pool limit allows this pool; no pool at all is seen only without that limit."""
        allowed = not self.pools or name in self.pools
        return allowed and (self.within is None or self.within.pool_name(name))

    def pool(self, pool: PoolSettings) -> bool:
        """Whether this pool may be seen: it must be able to serve some repository that may be."""
        if not self.pool_name(pool.name):
            return False
        place = pool.scope.partition("/")[2].lower()
        return self.repository(place) if pool.scope.startswith("repos/") else self.owner(place)

    def pools_of(self, settings: Settings) -> tuple[PoolSettings, ...]:
        """The pools that may be seen, in configuration order."""
        return tuple(pool for pool in settings.pools if self.pool(pool))

    def job(self, job: Job) -> bool:
        """Whether this job may be seen."""
        return self.pool_name(job.pool) and self.repository(job.repository)

    def jobs(self, found: Iterable[Job]) -> tuple[Job, ...]:
        """Those of them that may be seen."""
        return tuple(job for job in found if self.job(job))


@dataclass(frozen=True, slots=True)
class Look:
    """A Sight with a Connection, for what can only be judged by looking rows up; good for one transaction."""

    conn: Connection
    sight: Sight
    settings: Settings
    _targets: dict[str, bool] = field(default_factory=dict)
    _jobs: dict[int, bool] = field(default_factory=dict)
    _pools: dict[str, bool] = field(default_factory=dict)

    def runner(self, runner: Runner) -> bool:
        """Whether this Runner may be seen: its pool, and the job it was seen to run, if any."""
        if self.sight.everything:
            return True
        if not self._pool(runner.pool):
            return False
        return not self.sight.by_repository or runner.job_id is None or self._job(runner.job_id)

    def target(self, target: str) -> bool:
        """Whether an event about this target may be seen; a limited token sees none whose row is gone."""
        if self.sight.everything:
            return True
        if target not in self._targets:
            self._targets[target] = self._look_up(target)
        return self._targets[target]

    def events(self, found: Iterable[Event]) -> tuple[Event, ...]:
        """Those of them that may be seen."""
        return tuple(event for event in found if self.target(event.target))

    def _look_up(self, target: str) -> bool:
        kind, _, name = target.partition("/")
        if kind == "job":
            return name.isdecimal() and self._job(int(name))
        if kind == "runner":
            runner = runners.get(self.conn, name)
            return runner is not None and self.runner(runner)
        if kind == "machine":
            return self._machine(name)
        return kind == "pool" and self._pool(name)

    def _pool(self, name: str) -> bool:
        if not self._pools:
            self._pools.update({pool.name: self.sight.pool(pool) for pool in self.settings.pools})
        return self._pools.get(name, False)

    def _job(self, job_id: int) -> bool:
        if job_id not in self._jobs:
            job = jobs.get(self.conn, job_id)
            self._jobs[job_id] = job is not None and self.sight.job(job)
        return self._jobs[job_id]

    def _machine(self, name: str) -> bool:
        machine = machines.get(self.conn, name)
        if machine is None or not self._pool(machine.pool):
            return False
        return all(self.runner(runner) for runner in runners.by_machine(self.conn, name))
