"""Session: what stands for an API token in a browser, so that the token itself is in no cookie and no page.

A token with the scope ``read`` is traded for a random id in a cookie that scripts cannot read and that other
sites' pages cannot send (HttpOnly, SameSite=Strict, and Secure where the page came by https). Only its hash
is stored. It opens GET of the page and of the status stream, with what its token may see and no more, until
the token ends, its owner signs out, or SESSION_S are over.
"""

import base64
from dataclasses import replace
from typing import Annotated, cast
from urllib.parse import urlsplit

from fastapi import Depends, Request, Response
from sqlalchemy import Connection

from runners.api import access
from runners.api.access import USED_COARSE_S, Scope, Viewer
from runners.api.narrowing import narrowed
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.api.sight import Sight
from runners.model.reason import Reason
from runners.registration.registration import token_hash
from runners.store import page_sessions, tokens
from runners.store.page_sessions import PageSession

COOKIE = "fly_gha_session"
# Browsers take a cookie of this name only over https, for this host alone, and from no neighbouring domain.
SECURE_COOKIE = f"__Host-{COOKIE}"
SESSION_S = 12 * 3600.0
ID_BYTES = 32
ID_CHARACTERS = 43
SCOPE: Scope = "read"


async def visitor(request: Request) -> Viewer | None:
    """Who the cookie stands for, or None when it opens nothing (any more).

    Raises:
        StoreUnavailable: nobody can tell.
    """
    hashed = _cookie_hash(request)
    if hashed is None or request.method not in ("GET", "HEAD"):
        return None
    port = cast(FleetPort, request.app.state.port)
    now = port.clock.now()

    def op(conn: Connection) -> Viewer | None:
        session = page_sessions.find(conn, hashed, now)
        token = None if session is None else tokens.get(conn, session.token_id)
        if token is None or not token.valid(now) or SCOPE not in token.scopes:
            return None
        if token.last_used_at is None or token.last_used_at <= now - USED_COARSE_S:
            tokens.touch(conn, token.id, now, coarse_s=USED_COARSE_S)
        return Viewer(token, Sight(token.repositories, token.pools), hashed)

    return await port.store.run(op)


async def watcher(request: Request) -> Viewer:
    """Who may read this route by a bearer token or, without one, by the page's cookie.

    Raises:
        ApiProblem: 401 without either, 403 for a token without the scope.
    """
    if "authorization" in request.headers or _cookie_hash(request) is None:
        return await access.reader(request)
    viewer = await visitor(request)
    if viewer is None:
        raise ApiProblem(
            401,
            Reason.ACCESS_TOKEN_WRONG,
            what="the request carries no valid session",
            why="the session has ended: its 12 hours are over, it was signed out, or its token has ended",
            attempted=access.attempted(request),
            next_step="sign in again at /signin",
        )
    return replace(viewer, sight=narrowed(viewer.sight, request.headers, access.attempted(request)))


Visitor = Annotated[Viewer | None, Depends(visitor)]
Watcher = Annotated[Viewer, Depends(watcher)]


async def begin(port: FleetPort, viewer: Viewer) -> str:
    """Open a session with this viewer's rights; returns what its cookie is to hold."""
    held = base64.urlsafe_b64encode(port.entropy(ID_BYTES)).rstrip(b"=").decode()
    now = port.clock.now()
    # The store checks the token's own end at every use; this one is what the browser is told, too.
    session = PageSession(token_hash(held), viewer.token.id, now, now + SESSION_S)
    await port.store.run(lambda conn: page_sessions.begin(conn, session))
    return held


async def end(request: Request) -> None:
    """End the session that the cookie names, if any."""
    hashed = _cookie_hash(request)
    if hashed is not None:
        port = cast(FleetPort, request.app.state.port)
        await port.store.run(lambda conn: page_sessions.end(conn, hashed))


def give(request: Request, answer: Response, held: str) -> None:
    """Put the cookie into an answer."""
    secure = by_https(request)
    answer.set_cookie(
        SECURE_COOKIE if secure else COOKIE,
        held,
        max_age=int(SESSION_S),
        path="/",
        secure=secure,
        httponly=True,
        samesite="strict",
    )


def take_back(request: Request, answer: Response) -> None:
    """Have the browser forget the cookie."""
    for name in (SECURE_COOKIE, COOKIE):
        if name in request.cookies:
            answer.delete_cookie(
                name, path="/", secure=name == SECURE_COOKIE, httponly=True, samesite="strict"
            )


def by_https(request: Request) -> bool:
    """Whether the browser came by https, as the connection, the proxy, or ``fleet.public_url`` tells."""
    if request.url.scheme == "https" or request.headers.get("x-forwarded-proto") == "https":
        return True
    public = urlsplit(cast(FleetPort, request.app.state.port).settings.fleet.public_url)
    return public.scheme == "https" and request.headers.get("host") == public.netloc


def from_own_page(request: Request) -> bool:
    """Whether a form was sent from a page of ours: another site's must neither sign anybody in nor out.

    Browsers say so by Sec-Fetch-Site over https and on this machine, and by Origin everywhere; what says
    neither is no browser, and holds no cookie that it could be tricked with.
    """
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def _cookie_hash(request: Request) -> str | None:
    held = request.cookies.get(SECURE_COOKIE) or request.cookies.get(COOKIE)
    return token_hash(held) if held is not None and len(held) == ID_CHARACTERS else None
