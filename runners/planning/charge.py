"""Charge: which one pool a job's demand counts for. Each job is charged to exactly one pool, or to none.

GitHub gives a job to any runner whose labels are a superset of the job's and that is registered where the
job's repository can see it. The first pool in configuration order of which both are true, and whose own
lists serve the repository, is charged; while it is drained, the fallback that it names, provided that one
could serve the job at all.
"""

from collections.abc import Iterator, Mapping

from runners.model.allow_lists import lets_in
from runners.model.settings import PoolSettings, Settings


def charge(
    labels: tuple[str, ...],
    repository: str,
    settings: Settings,
    drained: frozenset[str],
    *,
    private: bool | None = True,
) -> str | None:
    """The name of the pool a job is charged to, or None when no pool serves it.

    Args:
        labels: the job's labels. None at all matches no pool: such a job asked for a runner group only.
        repository: ``owner/name``.
        settings: the fleet's; pools in configuration order.
        drained: names of the pools that take no new work. When a job's pool and its fallbacks are all
            drained, the job stays with its pool and waits there.
        private: whether the repository is; None when nobody said, which counts as public.
    """

    def may_serve(pool: PoolSettings) -> bool:
        return could_run(pool, labels, repository) and lets_in(pool, repository, private=private)

    first = next((pool for pool in settings.pools if may_serve(pool)), None)
    if first is None:
        return None
    for pool in _chain(first, settings):
        if pool.name not in drained and may_serve(pool):
            return pool.name
    return first.name


def could_run(pool: PoolSettings, labels: tuple[str, ...], repository: str) -> bool:
    """Whether GitHub may give a job with these labels in this repository to a runner of this pool."""
    return serves(pool, labels) and covers(pool.scope, repository)


def serves(pool: PoolSettings, labels: tuple[str, ...]) -> bool:
    """Whether the pool's runners carry every one of these labels (case does not count at GitHub)."""
    wanted = {label.lower() for label in labels}
    return bool(wanted) and wanted <= {label.lower() for label in pool.served_labels}


def covers(scope: str, repository: str) -> bool:
    """Whether runners registered at ``orgs/NAME`` or ``repos/OWNER/NAME`` can be seen by this repository."""
    kind, _, place = scope.lower().partition("/")
    repository = repository.lower()
    return place == (repository if kind == "repos" else repository.partition("/")[0])


def drained_pools(settings: Settings, overrides: Mapping[str, bool | None]) -> frozenset[str]:
    """The pools that take no new work.

    Args:
        settings: the fleet's.
        overrides: by pool, what an operator has said; None or absent leaves it to the setting.
    """
    said = {pool.name: overrides.get(pool.name) for pool in settings.pools}
    return frozenset(
        pool.name for pool in settings.pools if (pool.drained if (word := said[pool.name]) is None else word)
    )


def _chain(first: PoolSettings, settings: Settings) -> Iterator[PoolSettings]:
    """The pool, its fallback, that one's fallback … each once: two pools may name each other."""
    seen: set[str] = set()
    pool: PoolSettings | None = first
    while pool is not None and pool.name not in seen:
        seen.add(pool.name)
        yield pool
        pool = settings.pool(pool.fallback) if pool.fallback is not None else None
