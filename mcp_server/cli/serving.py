"""Serving: over HTTP until a signal, or on standard input until it ends."""

import asyncio
import gc
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from types import FrameType
from typing import NoReturn

import structlog
import typer
import uvicorn
import uvloop
from mcp.server.stdio import stdio_server
from pydantic import ValidationError
from pydantic_settings import SettingsError
from starlette.applications import Starlette

from mcp_server.audit.directory import AuditInUse, AuditUnusable
from mcp_server.cli.logs import configure_logs
from mcp_server.cli.outcome import Exit, fail
from mcp_server.connection import Connection
from mcp_server.credentials import CredentialsPresent, refuse_or_drop
from mcp_server.door import presented
from mcp_server.health import TokensSign
from mcp_server.identity import LocalIdentity, TokenIdentity
from mcp_server.own_token import OwnToken, TokenUnusable
from mcp_server.pipe import readable
from mcp_server.service import Parts, Service
from mcp_server.settings import PREFIX, StatusSettings
from mcp_server.web import PATH, build_web
from runners.upstream.clock import SystemClock

log = structlog.get_logger()

# Longer than a call may take: what was begun is answered before the process ends.
GRACE_S = 30
CONNECTIONS_MAX = 1000
GC_THRESHOLD = (50_000, 50, 100)
# One directory for each local agent that runs at the same time; they are taken up again.
LOCAL_AGENTS_MAX = 64


def serve_http() -> None:
    """Serve agents over HTTP until SIGTERM or Ctrl-C."""
    configure_logs()
    settings, token = _prepared("http")
    try:
        listening = socket.create_server((settings.host, settings.port))
        # Inherited by every connection. Without it an answer's body waits for the acknowledgement of its
        # head, 40 ms: asyncio sets it only on sockets that were made with an explicit protocol number.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except OSError as error:
        fail(
            Exit.BAD_USE,
            f"{settings.host}:{settings.port} cannot be listened on ({error.strerror}): stop what listens "
            f"there, or choose another with {PREFIX}HOST and {PREFIX}PORT.",
        )
    # Each request of the SDK leaves cycles behind; collected seldom, they cost a third less.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)
    with _ended_with_a_sentence():
        uvloop.run(_serve_http(settings, token, listening))


def serve_stdio() -> None:
    """Serve the agent on standard input and output until it ends."""
    configure_logs()
    settings, token = _prepared("stdio")
    with _ended_with_a_sentence():
        asyncio.run(_serve_stdio(settings, token))


async def _serve_http(settings: StatusSettings, token: OwnToken, listening: socket.socket) -> None:
    identity = TokenIdentity(settings.tokens_file)

    def tokens(now: float) -> TokensSign:
        problem = identity.problem(now)
        return TokensSign(identity.readable, problem)

    service = Service(
        settings,
        SystemClock(),
        Parts(identity, token, secrets.token_bytes, settings.audit_dir, tokens=tokens),
    )
    # Opened before the server runs: what fails inside it comes out as its traceback.
    await service.open()
    host, port = listening.getsockname()[:2]

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        log.info("status.started", url=f"http://{host}:{port}{PATH}", dispatcher=settings.dispatcher_url)
        yield
        await service.close()
        log.info("status.stopped")

    app = build_web(
        service.server(presented),
        settings,
        admit=service.checkpoint.admit,
        refuse=service.checkpoint.refuse,
        new_id=service.new_id,
        health=service.health,
        lifespan=lifespan,
    )
    await _Server(app).serve(sockets=[listening])


async def _serve_stdio(settings: StatusSettings, token: OwnToken) -> None:
    service = await _local_service(settings, token)
    server = service.server(lambda _ctx: (None, "stdio", service.new_id()))
    try:
        async with (
            stdio_server() as (lines, out),
            readable(lines, out, refuse=service.checkpoint.refuse, new_id=service.new_id) as incoming,
        ):
            await server.run(incoming, out, server.create_initialization_options())
    finally:
        await service.close()


async def _local_service(settings: StatusSettings, token: OwnToken) -> Service:
    """A service with an audit directory that no other local agent writes to at this moment.

    Raises:
        AuditInUse: all of them are taken.
    """
    number = 1
    while True:
        directory = settings.audit_dir / f"stdio-{number}"
        parts = Parts(LocalIdentity(), token, secrets.token_bytes, directory)
        service = Service(settings, SystemClock(), parts)
        try:
            await service.open()
        except AuditInUse:
            await service.dispatcher.close()
            if number == LOCAL_AGENTS_MAX:
                raise
            number += 1
        else:
            return service


def _prepared(transport: str) -> tuple[StatusSettings, OwnToken]:
    """The settings and the one credential; every mistake is named, and no value is."""
    try:
        refuse_or_drop(os.environ, transport, lambda line: typer.echo(line, err=True))
        settings = StatusSettings()
        return settings, OwnToken(settings)
    except CredentialsPresent as present:
        fail(Exit.BAD_USE, f"Could not {present}.")
    except ValidationError as error:
        mistakes = error.errors(include_url=False, include_context=False, include_input=False)
        _end(
            "; ".join(
                f"{PREFIX}{'.'.join(map(str, each['loc'])).upper()}: {each['msg']}" for each in mistakes
            )
        )
    except SettingsError as error:
        _end(f"{PREFIX}…: a list is written as JSON ({error})")
    except TokenUnusable as unusable:
        _end(str(unusable))


def _end(why: str) -> NoReturn:
    fail(Exit.BAD_USE, f"fly-gha-status does not start. {why[0].upper()}{why[1:]}.")


@contextmanager
def _ended_with_a_sentence() -> Iterator[None]:
    """What keeps the service from opening is told, and is no traceback."""
    try:
        yield
    except AuditUnusable as unusable:
        fail(Exit.UNREACHABLE, f"fly-gha-status does not start: {unusable}.")
    except TokenUnusable as unusable:
        _end(str(unusable))


class _Server(uvicorn.Server):
    """A uvicorn that leaves logging to us and ends with exit code 0 when it is told to."""

    def __init__(self, app: Starlette) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                lifespan="on",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                limit_concurrency=CONNECTIONS_MAX,
                timeout_graceful_shutdown=GRACE_S,
                timeout_keep_alive=75,
            )
        )

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's form
        """Stop once; a second Ctrl-C does not wait."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
