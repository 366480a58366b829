"""Trust: may a pool launch at all? Its runner group is what keeps other people's code from its runners.

Intake and the gate on the Machine only refuse what comes to them: GitHub gives a job to any runner whose
group lets its repository in. So a pool whose group lets public repositories in, without its consent, launches
nothing, and neither does one whose group nobody has read yet. A reading that failed changes nothing.
"""

from collections.abc import Iterable, Mapping

from runners.model.groups import ScopeSeen
from runners.model.reason import Reason, Why
from runners.model.settings import PoolSettings


def distrusted(pools: Iterable[PoolSettings], seen: Mapping[str, ScopeSeen]) -> Mapping[str, Why]:
    """By pool, why it may launch nothing now; those that may are absent.

    Args:
        pools: the settings'.
        seen: by scope in lower case, the last good reading.
    """
    found = {pool.name: why_distrusted(pool, seen.get(pool.scope.lower())) for pool in pools}
    return {name: why for name, why in found.items() if why is not None}


def why_distrusted(pool: PoolSettings, seen: ScopeSeen | None) -> Why | None:
    """Why one pool may launch nothing, or None.

    Args:
        pool: its settings.
        seen: the last good reading of its scope, None before the first, by which a pool that serves public
            repositories risks nothing.
    """
    if seen is None:
        if pool.allow_public:
            return None
        what = f"runner group {pool.runner_group} of {pool.scope}" if _by_group(pool) else pool.scope
        return Why(Reason.GROUP_UNREAD, f"{what} has not been read yet: it may let public repositories in")
    if not _by_group(pool):
        if seen.private is not False or pool.allow_public:
            return None
        return Why(
            Reason.PUBLIC_REPOSITORY, f"{pool.scope} is public, and pool {pool.name} serves private ones"
        )
    group = seen.group(pool.runner_group)
    if group is None:
        return Why(Reason.GROUP_MISSING, f"{pool.scope} has no runner group {pool.runner_group}")
    if group.allows_public and not pool.allow_public:
        detail = (
            f"runner group {pool.runner_group} of {pool.scope} lets public repositories in, pool {pool.name}"
        )
        return Why(Reason.GROUP_ALLOWS_PUBLIC, f"{detail} serves private ones only")
    return None


def _by_group(pool: PoolSettings) -> bool:
    return pool.scope.startswith("orgs/")
