"""The HTTP face: ``/mcp`` for agents, ``/healthz`` for probes. Nobody without a token gets past the door."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from mcp.server import Server
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.call import Answer, Call
from mcp_server.door import Door, is_inside
from mcp_server.health import Health, State
from mcp_server.refused import Refused
from mcp_server.settings import StatusSettings

PATH = "/mcp"
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


def build_web(
    server: Server[object],
    settings: StatusSettings,
    *,
    admit: Callable[[Call], Awaitable[Answer | None]],
    refuse: Callable[[Call, Refused], Awaitable[Answer]],
    new_id: Callable[[], str],
    health: Callable[[], Awaitable[Health]],
    lifespan: Callable[[], AbstractAsyncContextManager[None]],
) -> Starlette:
    """The ASGI application.

    Args:
        server: the MCP server.
        settings: hosts, origins and sizes.
        admit: see Door.
        refuse: likewise.
        new_id: likewise.
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
    door = Door(inner, admit=admit, refuse=refuse, new_id=new_id)

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
        middleware=[Middleware(Farewell)],
        lifespan=both,
    )


class Farewell:
    """Ends the connection of whoever was not let in: open ones are counted, and strangers must not keep them.

    Args:
        inner: the application.
    """

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the lifespan."""

        async def parting(message: Message) -> None:
            if message["type"] == "http.response.start" and not is_inside(scope):
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        await self._inner(scope, receive, parting if scope["type"] == "http" else send)


def _hosts(settings: StatusSettings) -> TransportSecuritySettings:
    """Which Host and Origin headers are ours: without this a web page could reach a local server."""
    local = [f"{host}{port}" for host in _LOOPBACK for port in ("", ":*")]
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[*local, *settings.public_hosts],
        allowed_origins=list(settings.public_origins),
    )
