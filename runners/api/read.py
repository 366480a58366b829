"""The read API: GET of the fleet, its pools, jobs, runners, events and usage, for tokens that may read."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response

from runners.api import read_capacity, read_events, read_incidents, read_jobs, read_runners, read_usage
from runners.api.access import Fleet, Viewer
from runners.api.access import Reader as MayRead
from runners.api.lookups import not_found
from runners.api.pool_version import version
from runners.api.pool_views import pool_views, scene
from runners.api.reading import Reader
from runners.api.status_view import fingerprint, fleet_status
from runners.store.pools import PoolOverride
from runners.wire.headers import POOLS_HEADER, REPOSITORIES_HEADER
from runners.wire.pool import PoolList, PoolView
from runners.wire.status import FleetStatus
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])
# What else than its address an answer depends on.
VARY = f"Authorization, {REPOSITORIES_HEADER}, {POOLS_HEADER}"


async def _rows(request: Request) -> Reader:
    return cast(Reader, request.app.state.reader)


Rows = Annotated[Reader, Depends(_rows)]


@router.get("/status")
async def status(fleet: Fleet, viewer: MayRead, rows: Rows, request: Request) -> Response:
    """The whole fleet at one revision, with an ETag that changes when anything but the time does."""
    view = fleet_status(fleet, await rows.read(), viewer.sight)
    etag = f'W/"{fingerprint(view)}"'
    headers = {"ETag": etag, "Cache-Control": "private, no-cache", "Vary": VARY}
    if _matches(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return _json(view, headers)


@router.get("/pools")
async def pools(fleet: Fleet, viewer: MayRead, rows: Rows) -> PoolList:
    """Every pool the token may see."""
    return await _pools(fleet, viewer, rows)


@router.get("/pools/{name}")
async def pool(fleet: Fleet, viewer: MayRead, rows: Rows, name: str, response: Response) -> PoolView:
    """One pool; its ETag is of what operators set, for their If-Match."""
    reading = await rows.read()
    found = {
        each.name: each for each in pool_views(scene(fleet.settings, reading, fleet.latest, viewer.sight))
    }
    settings = fleet.settings.pool(name)
    if name not in found or settings is None:
        raise not_found("pool", found, name)
    response.headers["ETag"] = version(settings, reading.overrides.get(name, PoolOverride()))
    return found[name]


ROUTERS = (
    router,
    read_jobs.router,
    read_runners.router,
    read_events.router,
    read_usage.router,
    read_incidents.router,
    read_capacity.router,
)
"""The whole read API. Not nested: a route's own path is what problems and events name."""


async def _pools(fleet: Fleet, viewer: Viewer, rows: Reader) -> PoolList:
    reading = await rows.read()
    views = pool_views(scene(fleet.settings, reading, fleet.latest, viewer.sight))
    return PoolList(revision=reading.revision, as_of=rfc3339(reading.at), pools=views)


def _json(view: FleetStatus, headers: dict[str, str]) -> Response:
    return Response(view.model_dump_json(), headers=headers, media_type="application/json")


def _matches(if_none_match: str | None, etag: str) -> bool:
    """RFC 9110's weak comparison."""
    if if_none_match is None:
        return False
    given = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return "*" in given or etag.removeprefix("W/") in given
