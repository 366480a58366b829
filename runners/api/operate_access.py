"""Which pools, and whether the fleet, a token may operate: its scope is not all, its limits count as well.

A token limited to pools operates those. One limited to repositories operates the pools that serve nobody
else, which are those registered at a repository; a pool of an organization serves others, too.
"""

from collections.abc import Mapping

from fastapi import Request

from runners.api.access import Access, Viewer
from runners.api.lookups import not_found
from runners.model.settings import PoolSettings, Settings


async def operable_pool(
    request: Request, access: Access, viewer: Viewer, settings: Settings, name: str
) -> PoolSettings:
    """The pool of that name, if the viewer may operate it.

    Raises:
        ApiProblem: 404, there is none that they may see; 403, it serves others, too, and that is an event.
    """
    seen: Mapping[str, PoolSettings] = {pool.name: pool for pool in viewer.sight.pools_of(settings)}
    if name not in seen:
        raise not_found("pool", seen, name)
    if viewer.sight.by_repository and not seen[name].scope.startswith("repos/"):
        await access.deny(
            viewer.token,
            "pool",
            attempted(request),
            why="the token is limited to repositories, and this pool serves others as well",
            next_step="use a token that is limited to pools, or to nothing",
        )
    return seen[name]


async def whole_fleet(request: Request, access: Access, viewer: Viewer) -> None:
    """Whether the viewer may operate all pools together.

    Raises:
        ApiProblem: 403, the token is limited; that is an event.
    """
    if not viewer.sight.everything:
        await access.deny(
            viewer.token,
            "fleet",
            attempted(request),
            why="the token is limited to some pools or repositories, and this is about all of them",
            next_step="use a token without limits, or drain the pools one by one",
        )


def attempted(request: Request) -> str:
    """The method and the route, as problems and events name them."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', 'an address')}"
