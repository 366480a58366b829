"""Sight: what a limited reader may see, in lists, counts, the stream and "not found" alike.

Two rules. What belongs to a job (the job, the runner that runs it, their events, usage) is seen only where
both its repository and its pool are. What belongs to a pool (caps, Machines, spares, money) is capacity: it
is seen with the pool, since an answer to "may I queue" that left out what others use would be wrong.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import chain

from sqlalchemy import Connection

from runners.model.nouns import Event, Job, Runner
from runners.model.settings import PoolSettings, Settings
from runners.store import places
from runners.store.places import RunnerPlace


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
        return bool(self.runners((runner,)))

    def runners(self, found: Iterable[Runner]) -> tuple[Runner, ...]:
        """Those of them that may be seen."""
        found = tuple(found)
        if self.sight.everything:
            return found
        self._read_jobs(runner.job_id for runner in found)
        return tuple(each for each in found if self._whose(each.pool, each.job_id))

    def target(self, target: str) -> bool:
        """Whether an event about this target may be seen."""
        if not self.sight.everything and target not in self._targets:
            self._read_targets({target})
        return self.sight.everything or self._targets[target]

    def events(self, found: Iterable[Event]) -> tuple[Event, ...]:
        """Those of them that may be seen; a limited reader sees none about what has no row any more."""
        found = tuple(found)
        if self.sight.everything:
            return found
        self._read_targets({event.target for event in found} - self._targets.keys())
        return tuple(event for event in found if self._targets[event.target])

    def _read_targets(self, targets: set[str]) -> None:
        names: dict[str, set[str]] = defaultdict(set)
        for target in targets:
            kind, _, name = target.partition("/")
            names[kind].add(name)
        runners = {each.name: each for each in places.of_runners(self.conn, names["runner"])}
        pools = places.of_machines(self.conn, names["machine"])
        bound: dict[str, list[RunnerPlace]] = defaultdict(list)
        for each in places.on_machines(self.conn, pools):
            bound[each.machine_name].append(each)
        self._read_jobs(each.job_id for each in (*runners.values(), *chain.from_iterable(bound.values())))
        self._read_jobs(int(name) for name in names["job"] if name.isdecimal())
        for target in targets:
            kind, _, name = target.partition("/")
            if kind == "job":
                seen = name.isdecimal() and self._jobs[int(name)]
            elif kind == "runner":
                seen = name in runners and self._whose(runners[name].pool, runners[name].job_id)
            elif kind == "machine":
                seen = name in pools and self._pool(pools[name])
                seen = seen and all(self._whose(each.pool, each.job_id) for each in bound[name])
            else:
                seen = kind == "pool" and self._pool(name)
            self._targets[target] = seen

    def _read_jobs(self, ids: Iterable[int | None]) -> None:
        unknown = {job_id for job_id in ids if job_id is not None} - self._jobs.keys()
        found = places.of_jobs(self.conn, unknown)
        for job_id in unknown:
            pool, repository = found.get(job_id, (None, ""))
            self._jobs[job_id] = (
                job_id in found and self.sight.pool_name(pool) and self.sight.repository(repository)
            )

    def _whose(self, pool: str, job_id: int | None) -> bool:
        """Whether a Runner of this pool that ran this job may be seen; the job has been read."""
        if not self._pool(pool):
            return False
        return not self.sight.by_repository or job_id is None or self._jobs[job_id]

    def _pool(self, name: str) -> bool:
        if not self._pools:
            self._pools.update({pool.name: self.sight.pool(pool) for pool in self.settings.pools})
        return self._pools.get(name, False)
