"""Serves the three simulators on loopback, in one process, until it is told to stop.

Prints one JSON line with the base URLs when all three answer. Stops on SIGTERM or SIGINT, and by itself when
the process that asked for it is gone: a world that nobody watches must not go on running Machines.

    python -m simulator.serve --config world.json [--parent-pid PID]
"""

import argparse
import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import ValidationError

from simulator.clock import Clock, WallClock
from simulator.sim_config import SimConfig
from simulator.worlds import build_fly, build_github, build_infisical

# How long open requests may take to end once the servers stop; long polls are cut.
GRACEFUL_STOP_S = 1
PARENT_LOOK_S = 0.5
START_LOOK_S = 0.01
BAD_CONFIG = 2
CANNOT_LISTEN = 3


@dataclass(frozen=True, slots=True)
class Served:
    """Base URLs of the three simulators, without a slash at the end."""

    fly: str
    github: str
    infisical: str


@contextlib.asynccontextmanager
async def serving(config: SimConfig, clock: Clock | None = None) -> AsyncIterator[Served]:
    """Serve all three while the context is open; at its end every Machine's processes are gone.

    Args:
        config: the world.
        clock: its time; the wall clock when not given.

    Raises:
        OSError: a port is taken.
        RuntimeError: a server ended before it answered.
    """
    time = clock or WallClock()
    with contextlib.ExitStack() as sockets:
        bound = [sockets.enter_context(_bind(port)) for port in _ports(config)]
        urls = Served(*(f"http://127.0.0.1:{held.getsockname()[1]}" for held in bound))
        github = build_github(config, urls.github, time)
        infisical = build_infisical(config, {"fly": urls.fly, "github": urls.github}, time)
        # FlySim last: it is the only one that starts a process by being made.
        servers = [_server(app) for app in (build_fly(config, urls.fly, time), github, infisical)]
        running = [
            asyncio.create_task(server.serve(sockets=[held]))
            for server, held in zip(servers, bound, strict=True)
        ]
        try:
            for server, task in zip(servers, running, strict=True):
                await _answering(server, task)
            yield urls
        finally:
            for server in servers:
                server.should_exit = True
            await asyncio.gather(*running, return_exceptions=True)


async def serve_all(config: SimConfig, *, parent_pid: int | None = None) -> None:
    """Serve until SIGTERM, SIGINT or the end of the parent; prints one JSON line when ready.

    Args:
        config: the world.
        parent_pid: stop when this process is gone; None watches nobody.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop.set)
    watch = asyncio.create_task(_watch(parent_pid, stop))
    try:
        async with serving(config) as urls:
            ready = {"fly": urls.fly, "github": urls.github, "infisical": urls.infisical, "pid": os.getpid()}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            await stop.wait()
    finally:
        watch.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run as a program; 2 and one line per mistake for a wrong configuration, 3 for ports it cannot have."""
    parser = argparse.ArgumentParser(prog="python -m simulator.serve", description="Serve the simulators.")
    parser.add_argument("--config", type=Path, required=True, help="JSON file, see SimConfig")
    parser.add_argument("--parent-pid", type=int, help="stop when this process is gone")
    chosen = parser.parse_args(arguments)
    try:
        config = SimConfig.model_validate_json(chosen.config.read_bytes())
    except OSError as wrong:
        sys.stderr.write(f"{chosen.config}: {wrong.strerror}\n")
        return BAD_CONFIG
    except ValidationError as wrong:
        for mistake in wrong.errors():
            where = ".".join(str(part) for part in mistake["loc"])
            sys.stderr.write(f"{chosen.config}: {where}: {mistake['msg']}\n")
        return BAD_CONFIG
    try:
        asyncio.run(serve_all(config, parent_pid=chosen.parent_pid))
    except OSError as wrong:
        sys.stderr.write(f"{chosen.config}: the simulators cannot listen on these ports: {wrong.strerror}\n")
        return CANNOT_LISTEN
    return 0


class _Server(uvicorn.Server):
    """A server that leaves signals alone: three share one process, which has its own idea of stopping."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _server(app: FastAPI) -> _Server:
    return _Server(
        uvicorn.Config(
            app,
            lifespan="on",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=GRACEFUL_STOP_S,
        )
    )


def _ports(config: SimConfig) -> tuple[int, int, int]:
    return config.ports.fly, config.ports.github, config.ports.infisical


def _bind(port: int) -> socket.socket:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind(("127.0.0.1", port))
    except OSError:
        held.close()
        raise
    return held


async def _answering(server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    while not server.started:
        if task.done():
            await task
            raise RuntimeError("a simulator ended before it answered; its reason is on stderr")
        await asyncio.sleep(START_LOOK_S)


async def _watch(parent_pid: int | None, stop: asyncio.Event) -> None:
    # A parent that has died but was not waited for still has its pid; that we were handed on shows it.
    own_parent = os.getppid() == parent_pid
    while parent_pid is not None:
        if (own_parent and os.getppid() != parent_pid) or not _alive(parent_pid):
            stop.set()
            return
        await asyncio.sleep(PARENT_LOOK_S)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    sys.exit(main())
