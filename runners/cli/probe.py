"""A port that says how a process without an API of its own is: ``/healthz`` and ``/readyz``, no more."""

import asyncio
import contextlib
import errno
import re
import socket
from collections.abc import AsyncIterator, Callable, Iterator

import uvicorn
from uvicorn._types import ASGIApplication, ASGIReceiveCallable, ASGISendCallable, Scope

from runners.cli.outcome import Exit, fail
from runners.upstream.clock import Clock
from runners.wire.health import Health, Readiness
from runners.wire.times import rfc3339

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<name>[A-Za-z0-9.-]+)):(?P<port>\d{1,5})")
_PORT_MAX = 65_535
STOP_S = 1


def listening_at(address: str) -> socket.socket:
    """A bound socket for ``HOST:PORT`` or ``[IPv6]:PORT``; ends the command when there can be none."""
    found = _ADDRESS.fullmatch(address)
    if found is None or int(found["port"]) > _PORT_MAX:
        fail(Exit.BAD_USE, f"--listen {address!r}: expected HOST:PORT, such as 127.0.0.1:8081 or [::]:8081.")
    family = socket.AF_INET6 if found["six"] else socket.AF_INET
    try:
        return socket.create_server((found["six"] or found["name"], int(found["port"])), family=family)
    except OSError as error:
        hint = (
            "End what uses it, or choose another." if error.errno == errno.EADDRINUSE else "Choose another."
        )
        fail(Exit.UNREACHABLE, f"Cannot listen on {address}: {error.strerror}. {hint}")


def build_probe(readiness: Callable[[float], Readiness], clock: Clock) -> ASGIApplication:
    """The app of the two paths; both are open and neither tells a secret.

    It is written down to the protocol: the publisher's image, where the App key is, has no web framework.

    Args:
        readiness: how the process is at a time.
        clock: tells the time.
    """

    def answer(method: str, path: str) -> tuple[int, bytes]:
        if method not in ("GET", "HEAD"):
            return 405, b""
        if path == "/healthz":
            return 200, Health(as_of=rfc3339(clock.now())).model_dump_json().encode()
        if path == "/readyz":
            found = readiness(clock.now())
            return 200 if found.ready else 503, found.model_dump_json().encode()
        return 404, b""

    async def app(scope: Scope, _receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return
        status, body = answer(scope["method"], scope["path"])
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
        shown = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": shown, "more_body": False})

    return app


@contextlib.asynccontextmanager
async def served(app: ASGIApplication, listening: socket.socket | None) -> AsyncIterator[None]:
    """Serve while the context is open; without a socket nobody is served."""
    if listening is None:
        yield
        return
    server = _Server(uvicorn.Config(app, lifespan="off", ws="none", log_config=None, access_log=False))
    server.config.timeout_graceful_shutdown = STOP_S
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it is part of."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
