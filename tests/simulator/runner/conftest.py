"""A served GitHubSim on the wall clock, fast, and the stand-in runner's folder, copied as for a Machine."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from simulator.clock import WallClock
from simulator.github.face import build_app
from simulator.github.model import GitHubSim

TEMPLATE = Path(__file__).resolve().parents[3] / "simulator" / "runner"
SCALE = 60.0
DEADLINE = 20.0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self):
        yield


class Served:
    """The served world, and what tests ask of it."""

    def __init__(self, sim: GitHubSim, http: httpx.AsyncClient) -> None:
        self.sim = sim
        self.http = http

    def jit(self, name: str = "r1", labels: tuple[str, ...] = ("fly",)) -> str:
        group = self.sim.directory.group(1)
        runner = self.sim.registrations.mint_jit("orgs/acme", name, group, list(labels), "_work")
        return self.sim.sessions.jit_config(runner)

    def registration_token(self) -> str:
        return self.sim.tokens.mint_registration("orgs/acme")[0]

    async def queue(self, *steps: dict[str, Any], name: str = "build") -> int:
        job = {"name": name, "labels": ["fly"], "steps": list(steps)}
        answer = await self.http.post("/_sim/runs", json={"repository": "acme/web", "jobs": [job]})
        return answer.json()["job_ids"][0]

    def kinds(self, *kinds: str) -> list[str]:
        return [entry["kind"] for entry in self.sim.journal if entry["kind"] in kinds]

    async def until(self, condition: Callable[[], Any]) -> None:
        async with asyncio.timeout(DEADLINE):
            while not condition():  # noqa: ASYNC110 - the condition is another process's doing
                await asyncio.sleep(0.02)


class Program:
    """A started program of the folder."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def end(self) -> tuple[int, str]:
        """Wait for its end; the exit code and everything it said."""
        async with asyncio.timeout(DEADLINE):
            out, _ = await self.process.communicate()
        return self.process.returncode or 0, out.decode()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    held = socket.socket()
    held.bind(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{held.getsockname()[1]}"
    sim = GitHubSim(
        WallClock(), 1, SCALE, base, 1, "unused", "http://127.0.0.1:9/hook", "secret", "acme", ["web"]
    )
    config = uvicorn.Config(
        build_app(sim), lifespan="on", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[held]))
    async with httpx.AsyncClient(base_url=base, trust_env=False) as http:
        yield Served(sim, http)
    server.should_exit = True
    await task
    held.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "actions-runner"
    shutil.copytree(TEMPLATE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


@pytest.fixture
async def start(folder: Path) -> AsyncIterator[Callable[..., Any]]:
    """Start a program of the folder in a process group of its own; what is left is killed by id."""
    started: list[asyncio.subprocess.Process] = []

    async def start_one(*command: str, env: dict[str, str] | None = None) -> Program:
        process = await asyncio.create_subprocess_exec(
            str(folder / command[0]),
            *command[1:],
            cwd=folder,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
                "RUNNER_ALLOW_RUNASROOT": "1",
                **(env or {}),
            },
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        started.append(process)
        return Program(process)

    yield start_one
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        process._transport.close()
