"""fly-gha-status as it is served: a real dispatcher API, the whole service, the SDK's own client.

The dispatcher notes every request that reaches it. Agents speak to the service over HTTP on loopback, too.
"""

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from pathlib import Path

import httpx2
import uvicorn
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from pydantic import SecretStr

from mcp_server.caller import Caller, Scope
from mcp_server.connection import Connection
from mcp_server.door import presented
from mcp_server.identity import TokenIdentity
from mcp_server.service import Parts, Service
from mcp_server.settings import StatusSettings
from mcp_server.token_file import TokenFile
from mcp_server.tokens import new_token
from mcp_server.web import build_web
from runners.store import events
from runners.upstream.clock import SystemClock
from tests.api.api_world import World, settings
from tests.migrated import migrated_store

ERAS = ("legacy", "2026-07-28")


class _Server(uvicorn.Server):
    """Leaves signals alone: the test has the process."""

    @contextlib.contextmanager
    def capture_signals(self):
        yield


@contextlib.asynccontextmanager
async def served(app, http="auto"):
    """The app on a free port of the loopback; its base URL."""
    config = uvicorn.Config(
        app, port=0, http=http, lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


class Noted:
    """Remembers what reached the app behind it."""

    def __init__(self, app):
        self.app = app
        self.requests = []

    async def __call__(self, scope, receive, send):
        if scope["type"] == "http":
            self.requests.append((scope["method"], scope["path"]))
        await self.app(scope, receive, send)


def a_token(file, *, name="agent", project="acme", scopes=tuple(Scope), **limits):
    """A new caller's token, kept in that file."""
    now = SystemClock().now()
    made = new_token(secrets.token_bytes, name=name, project=project, scopes=scopes, now=now, **limits)
    TokenFile(file).change(lambda kept: ((*kept, made.token), None))
    return made.text.get_secret_value()


@dataclass
class StatusWorld:
    """Everything, running."""

    fleet: World
    noted: Noted
    service: Service
    url: str
    dispatcher_url: str
    dispatcher_token: str
    tokens_file: Path
    audit_dir: Path

    def token(self, **fields):
        """A new caller's token."""
        return a_token(self.tokens_file, **fields)

    async def told(self):
        """Return when the service has heard of everything the fleet has committed."""
        self.fleet.changes.notify()
        revision = await self.fleet.store.run(events.revision)
        caller = Caller("test", "test", "test", frozenset())
        await self.service.views.glass(caller, "").status(attempted="wait", min_revision=revision)

    @contextlib.asynccontextmanager
    async def agent(self, token=None, era="legacy"):
        """An agent's client."""
        bearer = {"Authorization": f"Bearer {token or self.token()}"}
        async with (
            httpx2.AsyncClient(headers=bearer, timeout=30, trust_env=False) as http,
            Client(streamable_http_client(f"{self.url}/mcp", http_client=http), mode=era) as client,
        ):
            yield client


@contextlib.asynccontextmanager
async def status_served(chosen, token, *, clock=None, files=None):
    """The whole service over HTTP in front of whatever dispatcher; itself and its base URL."""
    identity = TokenIdentity(chosen.tokens_file)
    parts = Parts(identity, lambda: SecretStr(token), secrets.token_bytes, chosen.audit_dir, files=files)
    service = Service(chosen, clock or SystemClock(), parts)
    await service.open()

    @contextlib.asynccontextmanager
    async def lifespan():
        yield
        await service.close()

    app = build_web(
        service.server(presented),
        chosen,
        admit=service.checkpoint.admit,
        refuse=service.checkpoint.refuse,
        new_id=service.new_id,
        health=service.health,
        lifespan=lifespan,
    )
    async with served(app, Connection) as url:
        yield service, url


@contextlib.asynccontextmanager
async def status_world(directory, *, fleet=None, files=None, **figures):
    """A world with two pools in sight, nothing queued."""
    store = migrated_store()
    world = World(store, settings(**(fleet or {})), clock=SystemClock())
    await world.plan()
    noted = Noted(world.app)
    token = await world.token("read")
    async with served(noted) as dispatcher_url:
        chosen = StatusSettings(
            dispatcher_url=dispatcher_url,
            tokens_file=directory / "tokens.json",
            audit_dir=directory / "audit",
            **figures,
        )
        async with status_served(chosen, token, files=files) as (service, url):
            yield StatusWorld(
                world, noted, service, url, dispatcher_url, token, chosen.tokens_file, chosen.audit_dir
            )
    await world.client.aclose()
    await store.close()
