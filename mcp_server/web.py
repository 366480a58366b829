"""The HTTP face: ``/mcp`` for agents, ``/healthz`` for probes. Nobody without a token gets past the door.

Every request to ``/mcp`` is authenticated here, whatever its method, by the same Identity and with the same
record as in the checkpoint, which asks again for each call: a token that is revoked in between ends there.
"""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from mcp.server import Server
from mcp.server.context import ServerRequestContext
from mcp.server.transport_security import TransportSecuritySettings
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from mcp_server.call import Answer, Call, Operation
from mcp_server.health import Health, State
from mcp_server.rule import ErrorClass
from mcp_server.settings import StatusSettings

PATH = "/mcp"
_CREDENTIAL = "fly_gha_status.credential"
_CALL_ID = "fly_gha_status.call_id"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def presented(ctx: ServerRequestContext[object, Request]) -> tuple[SecretStr | None, str, str]:
    """What a request over HTTP brought, as the door left it."""
    scope = {} if ctx.request is None else ctx.request.scope
    return scope.get(_CREDENTIAL), "http", scope.get(_CALL_ID, "")


def build_web(
    server: Server[object],
    settings: StatusSettings,
    *,
    admit: Callable[[Call], Awaitable[Answer | None]],
    new_id: Callable[[], str],
    health: Callable[[], Awaitable[Health]],
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
) -> Starlette:
    """The ASGI application.

    Args:
        server: the MCP server.
        settings: hosts, origins and sizes.
        admit: the checkpoint's first step alone.
        new_id: makes call ids.
        health: how this process is.
        lifespan: opens and closes what the server works with.
    """
    inner = server.streamable_http_app(
        streamable_http_path=PATH,
        json_response=True,
        stateless_http=True,
        max_request_body_size=settings.request_max_bytes,
        transport_security=_hosts(settings),
    )
    door = Door(inner, admit, new_id)

    async def healthz(_request: Request) -> Response:
        found = await health()
        status = 503 if found.state is State.DOWN else 200
        return JSONResponse(found.as_json(), status_code=status, headers={"Cache-Control": "no-store"})

    @asynccontextmanager
    async def both(_app: Starlette) -> AsyncIterator[None]:
        async with lifespan(), inner.router.lifespan_context(inner):
            yield

    return Starlette(
        routes=[Route("/healthz", healthz, methods=["GET"]), Route(PATH, door)],
        lifespan=both,
    )


class Door:
    """Lets in who has a token; everybody else gets 401, typed and recorded.

    Args:
        inner: the MCP application.
        admit: see ``build_web``.
        new_id: likewise.
    """

    def __init__(
        self, inner: ASGIApp, admit: Callable[[Call], Awaitable[Answer | None]], new_id: Callable[[], str]
    ) -> None:
        self._inner = inner
        self._admit = admit
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        request = Request(scope)
        credential, call_id = _bearer(request.headers.getlist("authorization")), self._new_id()
        protocol = request.headers.get("mcp-protocol-version", "")
        knock = Call(Operation.REQUEST, "", {}, credential, "http", protocol, call_id)
        refused = await self._admit(knock)
        if refused is not None:
            await _turned_away(refused)(scope, receive, send)
            return
        known = {**scope, _CREDENTIAL: credential, _CALL_ID: call_id}
        await self._inner(known, receive, send)


def _bearer(headers: list[str]) -> SecretStr | None:
    """The token of the one Authorization header; two of them are none."""
    if len(headers) != 1:
        return None
    scheme, _, text = headers[0].partition(" ")
    return SecretStr(text.strip()) if scheme.lower() == "bearer" and text.strip() else None


def _turned_away(answer: Answer) -> Response:
    """401 for whoever is not known; 503 when even that could not be recorded."""
    headers = {"Cache-Control": "no-store"}
    known = answer.refused is not None and answer.refused.error_class is not ErrorClass.AUTHENTICATION
    if not known:
        headers["WWW-Authenticate"] = 'Bearer realm="fly-gha-status"'
    return JSONResponse(json.loads(answer.text), status_code=503 if known else 401, headers=headers)


def _hosts(settings: StatusSettings) -> TransportSecuritySettings:
    """Which Host and Origin headers are ours: without this a web page could reach a local server."""
    local = [f"{host}{port}" for host in _LOOPBACK for port in ("", ":*")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*local, *settings.public_hosts],
        allowed_origins=list(settings.public_origins),
    )
