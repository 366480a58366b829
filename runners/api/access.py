"""Access: API tokens, what each may do, and the audit of what was denied.

A token is ``fgr_<id>_<secret>``: the id names it in lists and events, the secret has 256 random bits. Stored
is the SHA-256 of the secret, which is enough for a secret nobody can guess. The three scopes imply nothing of
each other: a token that may operate but not read cannot read.
"""

import base64
import hmac
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Annotated, Literal, NoReturn, cast

from fastapi import Depends, Request
from pydantic import SecretStr
from sqlalchemy import Connection

from runners.api.narrowing import narrowed
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.api.sight import Sight
from runners.model.reason import Reason
from runners.registration.bounded import BoundedEvents
from runners.registration.registration import token_hash
from runners.store import events, page_sessions, tokens
from runners.store.engine import Store
from runners.store.tokens import ApiToken
from runners.upstream.clock import Clock

Scope = Literal["read", "operate", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "operate", "admin")

PREFIX = "fgr"
ID_BYTES = 5
SECRET_BYTES = 32
_TOKEN = re.compile(rf"{PREFIX}_([a-z2-7]{{8}})_([A-Za-z0-9_-]{{43}})")
# When a token was last used is worth knowing to the minute, and not a write per call.
USED_COARSE_S = 60.0


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only moment at which its text exists.

    Attributes:
        row: what to store, under ``secret_hash``.
        text: what its bearer sends.
    """

    row: ApiToken
    secret_hash: str
    text: SecretStr


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is asking, and what they may see.

    Attributes:
        session: hash of the status page's session they come by, "" for who shows the token itself.
    """

    token: ApiToken
    sight: Sight
    session: str = ""

    @property
    def actor(self) -> str:
        """How events name them."""
        return f"token:{self.token.id}"


def new_token(
    entropy: Callable[[int], bytes],
    *,
    name: str,
    scopes: Collection[str],
    now: float,
    repositories: tuple[str, ...] = (),
    pools: tuple[str, ...] = (),
    expires_at: float | None = None,
) -> NewToken:
    """Make a token.

    Args:
        entropy: gives that many random bytes.
        name: what a person calls it.
        scopes: one or more of SCOPES.
        now: Unix seconds.
        repositories: ``owner/name`` patterns it is limited to; empty means all.
        pools: pools it is limited to; empty means all.
        expires_at: Unix seconds, or None for no end.

    Raises:
        ValueError: no scope, or one that does not exist.
    """
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"a token needs one or more of the scopes {', '.join(SCOPES)}")
    token_id = base64.b32encode(entropy(ID_BYTES)).decode().lower()
    secret = base64.urlsafe_b64encode(entropy(SECRET_BYTES)).rstrip(b"=").decode()
    row = ApiToken(token_id, name, frozenset(scopes), repositories, pools, now, expires_at)
    return NewToken(row, token_hash(secret), SecretStr(f"{PREFIX}_{token_id}_{secret}"))


class Access:
    """Decides who may do what.

    Args:
        store: where tokens are, and the events of denials go.
        clock: tells whether a token has expired.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._bounded = BoundedEvents()

    async def viewer(self, authorization: str | None, scope: Scope, attempted: str) -> Viewer:
        """Who the Authorization header names, provided they have the scope.

        Raises:
            ApiProblem: 401 without a valid token, 403 without the scope; the latter is an event, too.
            StoreUnavailable: nobody can tell.
        """
        given = _read_token(authorization, attempted)
        now = self._clock.now()

        def op(conn: Connection) -> ApiToken | None:
            token = tokens.by_hash(conn, given.hash)
            if token is None or not hmac.compare_digest(token.id, given.id) or not token.valid(now):
                return None
            # Asked before writing: on PostgreSQL even an update of nothing waits for the other writers.
            if token.last_used_at is None or token.last_used_at <= now - USED_COARSE_S:
                tokens.touch(conn, token.id, now, coarse_s=USED_COARSE_S)
            return token

        token = await self._store.run(op)
        if token is None:
            raise _unauthorized(
                Reason.ACCESS_TOKEN_WRONG,
                "the token is unknown, has expired or was revoked",
                attempted,
                "get a new one: fly-gha token create",
            )
        if scope not in token.scopes:
            has = ", ".join(sorted(token.scopes))
            await self.deny(
                token,
                scope,
                attempted,
                why=f"it lacks the scope {scope}",
                next_step=f"use a token with the scope {scope}: fly-gha token create --scope {scope}",
                detail=f"{attempted} needs the scope {scope}; the token has {has}",
            )
        return Viewer(token, Sight(token.repositories, token.pools))

    def still_valid(self, conn: Connection, viewer: Viewer) -> bool:
        """Whether a viewer who was let in may stay; for streams that outlive their first check."""
        now = self._clock.now()
        if viewer.session and page_sessions.find(conn, viewer.session, now) is None:
            return False
        token = tokens.get(conn, viewer.token.id)
        return token is not None and token.valid(now)

    async def deny(
        self, token: ApiToken, about: str, attempted: str, *, why: str, next_step: str, detail: str = ""
    ) -> NoReturn:
        """Refuse a use of a valid token, with an event, at most one a minute for each token and ``about``.

        Raises:
            ApiProblem: 403, always.
        """
        now = self._clock.now()
        text = self._bounded.worded((token.id, about), now, detail or f"{attempted}: {why}")
        if text is not None:

            def op(conn: Connection) -> None:
                events.append(
                    conn,
                    at=now,
                    actor=f"token:{token.id}",
                    verb="denied",
                    target=f"token/{token.id}",
                    reason=Reason.ACCESS_DENIED,
                    detail=text,
                    outcome="refused",
                )

            await self._store.run(op)
        raise ApiProblem(
            403,
            Reason.ACCESS_DENIED,
            what="the token may not do this",
            why=why,
            attempted=attempted,
            next_step=next_step,
        )


async def _port(request: Request) -> FleetPort:
    return cast(FleetPort, request.app.state.port)


async def _viewer(request: Request, scope: Scope) -> Viewer:
    access = cast(Access, request.app.state.access)
    return await access.viewer(request.headers.get("authorization"), scope, attempted(request))


def attempted(request: Request) -> str:
    """What is asked for, by the route's own template: a caller's path may hold anything."""
    return f"{request.method} {getattr(request.scope.get('route'), 'path', 'an address')}"


async def reader(request: Request) -> Viewer:
    """Who may read, as far as they asked to see."""
    viewer = await _viewer(request, "read")
    return replace(viewer, sight=narrowed(viewer.sight, request.headers, attempted(request)))


async def _operator(request: Request) -> Viewer:
    return await _viewer(request, "operate")


async def _admin(request: Request) -> Viewer:
    return await _viewer(request, "admin")


async def _access(request: Request) -> Access:
    return cast(Access, request.app.state.access)


Fleet = Annotated[FleetPort, Depends(_port)]
Accesses = Annotated[Access, Depends(_access)]
Reader = Annotated[Viewer, Depends(reader)]
Operator = Annotated[Viewer, Depends(_operator)]
Admin = Annotated[Viewer, Depends(_admin)]


@dataclass(frozen=True, slots=True)
class _Given:
    id: str
    hash: str


def _read_token(authorization: str | None, attempted: str) -> _Given:
    scheme, _, text = (authorization or "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise _unauthorized(
            Reason.TOKEN_MISSING,
            "the Authorization header brings no bearer token",
            attempted,
            "send Authorization: Bearer fgr_…; fly-gha token create makes one",
        )
    match = _TOKEN.fullmatch(text.strip())
    if match is None:
        raise _unauthorized(
            Reason.ACCESS_TOKEN_WRONG,
            "the bearer token does not have the form fgr_<id>_<secret>",
            attempted,
            "send an API token of this fleet; GitHub, Fly and Infisical tokens open nothing here",
        )
    return _Given(match[1], token_hash(match[2]))


def _unauthorized(reason: Reason, why: str, attempted: str, next_step: str) -> ApiProblem:
    return ApiProblem(
        401,
        reason,
        what="the request carries no valid API token",
        why=why,
        attempted=attempted,
        next_step=next_step,
        headers={"WWW-Authenticate": 'Bearer realm="fly-gha"'},
    )
