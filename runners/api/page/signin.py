"""Signing in and out: a form takes an API token with the scope ``read`` and trades it for a session.

A wrong token is said plainly, counted against its client, and an event at most once a minute. The token goes
from the form's body into one comparison and nowhere else: not into a URL, a page, a cookie or a log.
"""

import re
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy import Connection

from runners.api import access
from runners.api.access import Access, Accesses, Fleet, Viewer
from runners.api.page import answers, session
from runners.api.page.desk import Desk, desk_of
from runners.api.page.people import PersonRoute
from runners.api.page.session import Visitor
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.store import events

router = APIRouter(include_in_schema=False, route_class=PersonRoute)
BODY_MAX = 4096
CLIENT_MAX = 64
# Where a visitor may be sent after signing in: pages of ours and nothing else.
NEXT = re.compile(r"/|/jobs/\d{1,19}|/runners/[A-Za-z0-9._-]{1,100}")
HOME = "/"
TARGET = "page/signin"


@router.get("/signin")
async def ask(request: Request, viewer: Visitor, next: str = HOME) -> Response:  # noqa: A002 - a URL's word
    """The form, or the page itself for who is signed in."""
    there = _allowed(next)
    return _go(there) if viewer is not None else _form(request, there)


@router.post("/signin")
async def sign_in(request: Request, fleet: Fleet, gate: Accesses) -> Response:
    """Trade a token for a session."""
    fields = await _fields(request)
    there = _allowed(fields.get("next", HOME))
    if not session.from_own_page(request):
        return _form(request, there, "That form was not sent from this page. Sign in here.", 403)
    desk, client, now = desk_of(request), _client(request), fleet.clock.now()
    wait = desk.tries.wait_s(client, now)
    if wait > 0:
        told = f"Too many wrong tokens. Try again in {int(wait) + 1} seconds."
        return _form(request, there, told, 429, {"Retry-After": str(int(wait) + 1)})
    try:
        viewer = await _viewer(gate, fields.get("token", ""), request)
    except ApiProblem as refusal:
        desk.tries.wrong(client, now)
        if refusal.problem.reason == Reason.ACCESS_DENIED:
            return _form(request, there, "This token is good, but it lacks the scope read.", 403)
        await _note(fleet, desk, now)
        return _form(request, there, "That token opens nothing: it is wrong, has ended or was revoked.", 401)
    desk.tries.right(client)
    answer = _go(there)
    session.give(request, answer, await session.begin(fleet, viewer))
    return answer


@router.post("/signout")
async def sign_out(request: Request) -> Response:
    """End the session."""
    if not session.from_own_page(request):
        return _form(request, HOME, "That form was not sent from this page. You are still signed in.", 403)
    await session.end(request)
    answer = _go("/signin")
    session.take_back(request, answer)
    return answer


def to_sign_in(request: Request) -> Response:
    """Where a visitor without a session goes.

    A browser that follows a link from another site leaves a Strict cookie out. One step from a page of ours
    brings it along, so such a visitor takes that step before being asked for a token.
    """
    there = _allowed(request.url.path)
    if request.headers.get("sec-fetch-site") == "cross-site":
        text = desk_of(request).renderer.page("step.html", 0.0, there=there)
        return answers.html(request, text)
    return _go(f"/signin?next={there}" if there != HOME else "/signin")


async def _viewer(gate: Access, text: str, request: Request) -> Viewer:
    return await gate.viewer(f"Bearer {text.strip()}", session.SCOPE, access.attempted(request))


async def _note(fleet: FleetPort, desk: Desk, now: float) -> None:
    text = desk.bounded.worded("signin", now, "a token that opens nothing was shown to the status page")
    if text is None:
        return

    def op(conn: Connection) -> None:
        events.append(
            conn,
            at=now,
            actor="page",
            verb="denied",
            target=TARGET,
            reason=Reason.ACCESS_TOKEN_WRONG,
            detail=text,
            outcome="refused",
        )

    await fleet.store.run(op)


async def _fields(request: Request) -> dict[str, str]:
    """The form's fields; one that is not a form, or far too long, has none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_MAX:
            return {}
    try:
        given = parse_qs(body.decode("utf-8"), max_num_fields=8)
    except ValueError:
        return {}
    return {name: values[0] for name, values in given.items()}


def _form(
    request: Request, there: str, told: str = "", status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    text = desk_of(request).renderer.page("signin.html", 0.0, there=there, told=told)
    return answers.html(request, text, status, headers)


def _go(there: str) -> Response:
    return RedirectResponse(there, 303, headers=answers.HEADERS)


def _allowed(there: str) -> str:
    return there if NEXT.fullmatch(there) else HOME


def _client(request: Request) -> str:
    """Who tries: Fly's proxy names its client, elsewhere it is the peer."""
    peer = "" if request.client is None else request.client.host
    return request.headers.get("fly-client-ip", peer)[:CLIENT_MAX]
