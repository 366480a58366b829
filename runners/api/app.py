"""build_api: the dispatcher's FastAPI app over a FleetPort. All it keeps hangs on the app it returns."""

from collections.abc import Iterable

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runners.api import (
    health,
    metrics,
    operate,
    operate_fleet,
    operate_runners,
    operate_sweep,
    problems,
    read,
    stream,
    tokens_admin,
    webhooks,
)
from runners.api.access import Access
from runners.api.metric_counters import EventCounts, Phases
from runners.api.outlook import Outlook
from runners.api.page import routes as page_routes
from runners.api.page.desk import Desk
from runners.api.port import FleetPort
from runners.api.reading import Reader
from runners.api.request_id import RequestIds

NOW_HEADER = "x-fly-gha-now"
INSTANCE_BYTES = 8
_CHANGES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def build_api(port: FleetPort, routers: Iterable[APIRouter] = ()) -> FastAPI:
    """Make the app.

    Args:
        port: the fleet. Handlers reach it as ``request.app.state.port``, or by ``access.Fleet``.
        routers: further routes over the same port: the claim, the hooks.
    """
    # No documentation pages: they would load scripts from elsewhere.
    app = FastAPI(title="fly-gha", docs_url=None, redoc_url=None, openapi_url=None)
    app.state.port = port
    app.state.access = Access(port.store, port.clock)
    # Tells two dispatchers of one fleet apart, for who wonders which one an address leads to.
    app.state.instance = port.entropy(INSTANCE_BYTES).hex()
    app.state.reader = Reader(port.store, port.clock)
    app.state.outlook = Outlook(port.settings)
    app.state.phases = Phases(port.clock.now())
    app.state.event_counts = EventCounts(port.clock.now())
    app.state.page = Desk(port)
    problems.install(app)
    own = (webhooks.router, *read.ROUTERS, stream.router, metrics.router, health.router)
    operating = (operate.router, operate_fleet.router, operate_runners.router, operate_sweep.router)
    for router in (*own, *operating, tokens_admin.router, *page_routes.ROUTERS, *routers):
        app.include_router(router)
    app.add_middleware(problems.Shield)
    # Added later, so further out: the Shield's answers are framed and named like every other.
    app.add_middleware(_Frame, port=port)
    app.add_middleware(RequestIds, entropy=port.entropy)
    return app


class _Frame:
    """What every answer has: our time (a booted Machine compares clocks), and headers that browsers heed.

    After a call that may have changed something the open streams are told.
    """

    def __init__(self, app: ASGIApp, port: FleetPort) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[NOW_HEADER] = f"{self._port.clock.now():.3f}"
                headers.setdefault("cache-control", "no-store")
                headers.setdefault("x-content-type-options", "nosniff")
                headers.setdefault("referrer-policy", "no-referrer")
            await send(message)

        try:
            await self._app(scope, receive, framed)
        finally:
            if scope["method"] in _CHANGES:
                self._port.changes.notify()
