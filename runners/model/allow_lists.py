"""Allow-lists: whom a pool serves, what its Machines' gate is told, and which lists can serve nobody.

Two places hold them. Intake refuses what a webhook tells (the repository, and whether it is private), so that
no Machine boots for it. The gate on the Machine knows more, the workflow's file, the event and a fork, and
fails the job before its first step. Neither keeps GitHub from giving a job to a runner: the group does.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runners.model.globs import NOTHING, allowed_by_both, matches, why_no_repository, why_no_workflow

if TYPE_CHECKING:
    from runners.model.settings import GitHubSettings, PoolSettings


def lets_in(pool: "PoolSettings", repository: str, *, private: bool | None) -> bool:
    """Whether the pool's own lists serve a repository.

    Args:
        pool: whose lists.
        repository: ``owner/name``.
        private: None when nobody said, which counts as public.
    """
    return serves_repository(pool, repository) and (pool.allow_public or private is True)


def serves_repository(pool: "PoolSettings", repository: str) -> bool:
    """Whether ``pools.repositories`` lists it; an empty list is no limit."""
    return not pool.repositories or matches(pool.repositories, repository)


def gate_of(pool: "PoolSettings | None", github: "GitHubSettings") -> Mapping[str, Any]:
    """What the gate of a pool's Machines refuses, as the claim's answer has it; an empty list allows all.

    ``github.organizations`` needs no list of its own: a pool's runners are seen by one owner, whom it lists.

    Args:
        pool: None for a pool that the settings no longer have, whose Machines still boot: the strictest.
        github: the lists that hold for all pools.
    """
    own = () if pool is None else pool.repositories
    return {
        "repositories": list(allowed_by_both(github.repositories, own)),
        "workflows": [] if pool is None else list(pool.workflows),
        "events": [] if pool is None else list(pool.events),
        "private_only": pool is None or not pool.allow_public,
        "forks": pool is not None and pool.allow_forks,
    }


def list_mistakes(github: "GitHubSettings", pools: Sequence["PoolSettings"]) -> Iterator[str]:
    """One line for each list that can never match, and for pools whose lists work against each other."""
    for index, pattern in enumerate(github.repositories):
        if why := why_no_repository(pattern):
            yield f"github.repositories.{index}: found {pattern!r}, expected {why}"
    for at, pool in enumerate(pools):
        yield from _of_pool(f"pools.{at}", pool, github)
        yield from (_shared(at, pool, other) for other in pools[:at] if _share_jobs(pool, other))


def _of_pool(key: str, pool: "PoolSettings", github: "GitHubSettings") -> Iterator[str]:
    if github.organizations and not matches(github.organizations, pool.owner):
        owners = f"an owner that github.organizations lists: {', '.join(github.organizations)}"
        yield f"{key}.scope: found {pool.scope!r}, expected {owners}"
    wrong = [
        f"{key}.repositories.{index}: found {pattern!r}, expected {why}"
        for index, pattern in enumerate(pool.repositories)
        if (why := why_no_repository(pattern, pool.owner))
    ]
    yield from wrong
    for index, pattern in enumerate(pool.workflows):
        if why := why_no_workflow(pattern):
            yield f"{key}.workflows.{index}: found {pattern!r}, expected {why}"
    if "workflow_call" in pool.events:
        yield (
            f"{key}.events: found 'workflow_call', expected the event of the workflow that calls: "
            "a called workflow has its caller's"
        )
    if wrong:
        return
    both = allowed_by_both(github.repositories, pool.repositories)
    if both == (NOTHING,):
        yield (
            f"{key}.repositories: found {', '.join(pool.repositories)}, expected some repository that "
            "github.repositories lists too"
        )
    elif both and allowed_by_both(both, (_in_scope(pool.scope),)) == (NOTHING,):
        lists = [name for name, on in (("github", github.repositories), (key, pool.repositories)) if on]
        allow = " and ".join(f"{name}.repositories" for name in lists)
        yield f"{key}.scope: found {pool.scope!r}, expected one with a repository in {allow}"


def _in_scope(scope: str) -> str:
    kind, _, place = scope.partition("/")
    return place if kind == "repos" else f"{place}/*"


def _share_jobs(pool: "PoolSettings", other: "PoolSettings") -> bool:
    """Whether GitHub may give a job of one to a runner of the other, whose gate then fails it."""
    if pool.scope.lower() != other.scope.lower() or _lists(pool) == _lists(other):
        return False
    if pool.scope.startswith("orgs/") and pool.runner_group.lower() != other.runner_group.lower():
        return False
    labels, others = ({label.lower() for label in each.served_labels} for each in (pool, other))
    return labels <= others or others <= labels


def _lists(pool: "PoolSettings") -> tuple[object, ...]:
    listed = (pool.repositories, pool.workflows, pool.events)
    return (*(frozenset(each) for each in listed), pool.allow_public, pool.allow_forks)


def _shared(at: int, pool: "PoolSettings", other: "PoolSettings") -> str:
    key = "runner_group" if pool.scope.startswith("orgs/") else "labels"
    found = repr(pool.runner_group) if key == "runner_group" else ", ".join(pool.served_labels)
    return (
        f"pools.{at}.{key}: found {found}, expected another than that of {other.name}: they share a job's "
        "labels and their allow-lists differ, so GitHub may give a job to the one whose gate fails it"
    )
