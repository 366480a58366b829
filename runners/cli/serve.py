"""``fly-gha serve``: the dispatcher. ``--observe`` plans and explains, and touches nothing."""

import asyncio
import contextlib
import errno
import os
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from types import FrameType
from typing import Annotated

import structlog
import typer
import uvicorn
from fastapi import FastAPI

from runners.api.app import build_api
from runners.api.claim import claim_router
from runners.api.hooks import hooks_router
from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption, settings_or_exit
from runners.cli.logs import configure_logs
from runners.cli.outcome import Exit, fail
from runners.cli.preflight import NotFit, preflight, report
from runners.connections import connect
from runners.fleet import Fleet, Seams
from runners.model.allow_lists import gate_of
from runners.model.settings import Settings
from runners.store import replacing
from runners.store.engine import open_store
from runners.store.errors import StoreError
from runners.upstream.clock import Clock, SystemClock

log = structlog.get_logger()

# An embedded store has one dispatcher, so a restarted one continues its own lease at once.
EMBEDDED_HOLDER = "embedded"
GRACEFUL_STOP_S = 3


def serve(
    config: ConfigOption = DEFAULT_CONFIG,
    observe: Annotated[bool, typer.Option("--observe", help="Plan and explain; touch nothing.")] = False,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.")] = "info",
) -> None:
    """Run the dispatcher until SIGTERM or Ctrl-C."""
    if log_level not in ("debug", "info", "warning", "error"):
        fail(Exit.BAD_USE, f"--log-level {log_level!r}: expected debug, info, warning or error.")
    settings = settings_or_exit(config)
    configure_logs(level=log_level)
    try:
        asyncio.run(run_dispatcher(settings, os.environ, observe=observe))
    except NotFit as error:
        fail(Exit.BAD_USE, str(error))
    except StoreError as error:
        fail(Exit.UNREACHABLE, str(error))
    except OSError as error:
        where = f"{settings.fleet.host}:{settings.fleet.port}"
        taken = error.errno == errno.EADDRINUSE
        hint = "Set fleet.port, or end what uses it." if taken else "Set fleet.host and fleet.port."
        fail(Exit.UNREACHABLE, f"Cannot listen on {where}: {error.strerror}. {hint}")


async def run_dispatcher(
    settings: Settings,
    environ: Mapping[str, str],
    *,
    observe: bool = False,
    reached: Callable[[str], None] = lambda _step: None,
) -> None:
    """Serve until told to stop by a signal.

    Args:
        settings: fleet.toml.
        environ: where local credentials are.
        observe: plan and explain only.
        reached: called at named steps.

    Raises:
        NotFit: something is so wrong that nothing may be booted.
        StoreError: the store cannot be used.
        OSError: the port cannot be listened on.
    """
    # Bound before anything is started: a taken port must not leave a half-started fleet.
    listening = socket.create_server((settings.fleet.host, settings.fleet.port))
    # Inherited by every connection. Without it an answer's body waits for the acknowledgement of its head,
    # 40 ms: asyncio sets it only on sockets that were made with an explicit protocol number.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    clock = SystemClock()
    embedded = settings.fleet.database_url.startswith("sqlite")
    _restore_what_waits(settings, clock)
    store = open_store(settings.fleet.database_url)
    try:
        # Tried before the server runs: what fails inside it comes out as its traceback.
        await store.migrate()
    except StoreError:
        await store.close()
        raise
    connections = connect(settings, clock, environ)
    found = await preflight(connections)
    try:
        report(found, observe=observe)
    except NotFit:
        await connections.close()
        await store.close()
        raise
    fleet = Fleet(
        settings,
        clock,
        store,
        connections,
        Seams(
            entropy=secrets.token_bytes,
            holder=EMBEDDED_HOLDER if embedded else secrets.token_hex(8),
            reached=reached,
            touch=not observe,
        ),
    )
    for scope, seen in found.scopes.items():
        # A job that is there already does not wait for a second reading.
        fleet.world.readings.scope_read(scope, clock.now(), seen)
    server = _Server(build_dispatcher(fleet))
    await server.serve(sockets=[listening])


def _restore_what_waits(settings: Settings, clock: Clock) -> None:
    """Put in place what ``fly-gha restore --at-start`` has prepared."""
    database = replacing.database_file(settings.fleet.database_url)
    if database is not None and replacing.pending(database).exists():
        done = replacing.place(database, clock.now())
        log.warning(
            "dispatcher.restored", database=str(database), kept=str(done.kept), events=done.copy.events
        )


def build_dispatcher(fleet: Fleet) -> FastAPI:
    """The HTTP app of one fleet; its lifespan starts and stops the loops."""
    settings = fleet.settings
    # Made once: of two lists of hundreds each what both allow takes a second to find.
    gates = {pool.name: gate_of(pool, settings.github) for pool in settings.pools}
    strictest = gate_of(None, settings.github)
    app = build_api(
        fleet,
        (
            claim_router(
                fleet.claims,
                fleet.store,
                fleet.clock,
                settings.timing,
                lambda pool: gates.get(pool, strictest),
            ),
            hooks_router(fleet.store, fleet.clock, fleet.woken_by_fact),
        ),
    )

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        await fleet.start()
        log.info("dispatcher.started", url=fleet.settings.fleet.public_url, pools=len(fleet.settings.pools))
        yield
        await fleet.stop()
        log.info("dispatcher.stopped")

    app.router.lifespan_context = lifespan
    return app


class _Server(uvicorn.Server):
    """A uvicorn that leaves logging to us, and ends its streams when it is told to stop."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="on",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=GRACEFUL_STOP_S,
                timeout_keep_alive=75,
            )
        )
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's form
        """Stop, once, and with exit code 0: uvicorn would raise the signal again when it has stopped.

        Streams wait for changes: closing those first lets the server stop at once.
        """
        self._app.state.port.changes.close()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True
