"""The pages: the overview at ``/``, one job, one runner; each with its updates at ``…/live``; and our files.

A page is whole as it is served. Its script listens to the status stream and then asks ``live`` for the parts
that have changed.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response

from runners.api.access import Fleet, Viewer
from runners.api.page import answers, signin
from runners.api.page.desk import desk_of, shown
from runners.api.page.details import Detail, job_detail, runner_detail
from runners.api.page.people import PersonRoute
from runners.api.page.session import Visitor
from runners.api.problems import ApiProblem
from runners.api.read_jobs import ID_MAX
from runners.model.reason import Reason
from runners.wire.times import rfc3339

pages = APIRouter(include_in_schema=False, route_class=PersonRoute)
updates = APIRouter(include_in_schema=False)
HAVE_MAX = 512
MARK = re.compile(r"[0-9a-f]{12}")
JobId = Annotated[int, Path(ge=1, le=ID_MAX)]
Name = Annotated[str, Path(min_length=1, max_length=100)]
Have = Annotated[str, Query(max_length=HAVE_MAX)]


@pages.get("/")
async def home(request: Request, viewer: Visitor) -> Response:
    """The overview."""
    if viewer is None:
        return signin.to_sign_in(request)
    desk = desk_of(request)
    seen = await desk.overview(request, viewer)
    status = seen.status
    head = _head(viewer, seen.at, status.revision, "/live")
    text = desk.renderer.page("overview.html", seen.at, **head, **shown(seen, viewer), fleet=status.fleet)
    return answers.html(request, text)


@updates.get("/live")
async def home_live(request: Request, viewer: Visitor, have: Have = "") -> Response:
    """What has changed of the overview."""
    update = await desk_of(request).parts(request, _signed_in(viewer))
    facts = {"as_of": rfc3339(update.seen.at), "revision": update.seen.status.revision, "fresh": update.fresh}
    return answers.update(request, update.parts, MARK.findall(have), **facts)


@pages.get("/jobs/{id}")
async def job(request: Request, fleet: Fleet, viewer: Visitor, id: JobId) -> Response:  # noqa: A002 - GitHub's word
    """One job: why it is where it is."""
    if viewer is None:
        return signin.to_sign_in(request)
    return _detail_page(request, viewer, await job_detail(fleet, viewer, id), f"/jobs/{id}/live")


@updates.get("/jobs/{id}/live")
async def job_live(request: Request, fleet: Fleet, viewer: Visitor, id: JobId, have: Have = "") -> Response:  # noqa: A002 - likewise
    """What has changed of it."""
    return _detail_live(request, await job_detail(fleet, _signed_in(viewer), id), have)


@pages.get("/runners/{name}")
async def runner(request: Request, fleet: Fleet, viewer: Visitor, name: Name) -> Response:
    """One runner: its way so far, its Machine, and how it ended."""
    if viewer is None:
        return signin.to_sign_in(request)
    detail = await runner_detail(fleet, viewer, name)
    return _detail_page(request, viewer, detail, f"/runners/{name}/live")


@updates.get("/runners/{name}/live")
async def runner_live(
    request: Request, fleet: Fleet, viewer: Visitor, name: Name, have: Have = ""
) -> Response:
    """What has changed of it."""
    return _detail_live(request, await runner_detail(fleet, _signed_in(viewer), name), have)


@updates.get("/page/{name}")
async def file(request: Request, name: str) -> Response:
    """A style sheet, a script or the icon; they hold nothing of the fleet, so everybody may have them."""
    found = answers.asset(request, name)
    if found is None:
        raise ApiProblem(
            404,
            Reason.NOT_FOUND,
            what="there is no such file",
            why="the status page has no file of that name",
            attempted="GET /page/{name}",
            next_step="load the page anew",
        )
    return found


def _signed_in(viewer: Viewer | None) -> Viewer:
    if viewer is None:
        raise ApiProblem(
            401,
            Reason.ACCESS_TOKEN_WRONG,
            what="the page was not brought up to date",
            why="nobody is signed in, or the session has ended",
            attempted="GET of a page's update",
            next_step="sign in at /signin",
        )
    return viewer


def _head(viewer: Viewer, at: float, revision: int, live: str) -> Mapping[str, Any]:
    """What every page of a signed-in visitor says around its parts."""
    return {"token": viewer.token, "as_of": rfc3339(at), "revision": revision, "live": live}


def _detail_page(request: Request, viewer: Viewer, detail: Detail, live: str) -> Response:
    head = _head(viewer, detail.at, detail.revision, live)
    values = {**head, **detail.values, "fleet": detail.fleet, "title": detail.title, "part": detail.part}
    return answers.html(request, desk_of(request).renderer.page("detail.html", detail.at, **values))


def _detail_live(request: Request, detail: Detail, have: str) -> Response:
    parts = desk_of(request).renderer.parts([detail.part], detail.at, detail.values)
    facts = {"as_of": rfc3339(detail.at), "revision": detail.revision, "fresh": True}
    return answers.update(request, parts, MARK.findall(have), **facts)


ROUTERS = (pages, updates, signin.router)
"""The whole page."""
