"""The demo's processes: simulators, publisher and dispatcher, started one after the other and always ended.

Each writes its log to a file in the demo's folder. A process that ends before it should is an error that
quotes the last lines of its log. None outlives the demo, not even one that is killed: see leash.py.
"""

import asyncio
import fcntl
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx

from runners.cli.demo import leash
from runners.cli.demo.place import Place

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 8.0
LOOK_S = 0.05
TAIL_LINES = 12
TAIL_WIDTH = 200


class DemoBroken(Exception):
    """A process of the demo did not start or ended early; the message quotes its log."""


class FolderRefused(DemoBroken):
    """The demo's folder cannot be had, so nothing was started."""


@contextmanager
def sole_user(folder: Path) -> Iterator[None]:
    """Hold the folder: two demos in one would take each other's database away.

    Raises:
        FolderRefused: another demo holds it, or it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        opened = (folder / "lock").open("w")
    except OSError as error:
        raise FolderRefused(
            f"{folder} cannot be written: {error.strerror}; name another --folder."
        ) from error
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FolderRefused(
                f"another demo uses {folder}; wait for it, or name another --folder."
            ) from None
        yield


@dataclass
class Processes:
    """The processes of one demo; a context that ends them all."""

    place: Place
    running: dict[str, asyncio.subprocess.Process] = field(default_factory=dict)
    urls: dict[str, str] = field(default_factory=dict)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in reversed(list(self.running)):
            await self._stop(name)

    async def start_simulators(self) -> None:
        """Start the three simulators in their own process; their URLs are known when they answer."""
        arguments = [
            "-m",
            "simulator.serve",
            "--config",
            str(self.place.world),
            "--parent-pid",
            str(os.getpid()),
        ]
        process = await self._start("simulators", arguments, {}, pipe=True)
        if process.stdout is None:
            raise DemoBroken("the simulators' output is not readable")
        try:
            async with asyncio.timeout(START_DEADLINE_S):
                line = await process.stdout.readline()
        except TimeoutError:
            line = b""
        if not line:
            raise DemoBroken(f"the simulators did not start:\n{self._tail('simulators')}")
        ready = json.loads(line)
        self.urls = {name: ready[name] for name in ("fly", "github", "infisical")}

    async def publish_tokens(self) -> None:
        """Start the one process that holds the App key, after one pass has published every token."""
        environment = {"FLY_GHA_FLEET__SECRETS_FILE": str(self.place.publisher_secrets)}
        arguments = _verb("tokens", "publish", "--config", str(self.place.fleet))
        once = await self._start("publisher-once", [*arguments, "--once"], environment)
        code = await once.wait()
        del self.running["publisher-once"]
        if code != 0:
            raise DemoBroken(f"no token was published:\n{self._tail('publisher-once')}")
        await self._start("publisher", arguments, environment)

    async def start_dispatcher(self) -> None:
        """Start the dispatcher; it is ready when it has its credentials and has planned once."""
        await self._start("dispatcher", _verb("serve", "--config", str(self.place.fleet)), {})
        says = "it does not answer"
        try:
            async with asyncio.timeout(START_DEADLINE_S), httpx.AsyncClient(trust_env=False) as http:
                while True:
                    self.check()
                    with suppress(httpx.TransportError):
                        answer = await http.get(f"{self.place.url}/readyz")
                        if answer.is_success:
                            return
                        says = answer.text
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            tail = self._tail("dispatcher")
            raise DemoBroken(
                f"the dispatcher is not ready after {START_DEADLINE_S:g} s: {says}\n{tail}"
            ) from None

    def check(self) -> None:
        """Raise DemoBroken when a process has ended."""
        for name, process in self.running.items():
            if process.returncode is not None:
                raise DemoBroken(f"the {name} ended with code {process.returncode}:\n{self._tail(name)}")

    def log(self, name: str) -> Path:
        """Where a process writes its log."""
        return self.place.folder / f"{name}.log"

    async def _start(
        self, name: str, arguments: list[str], environment: dict[str, str], *, pipe: bool = False
    ) -> asyncio.subprocess.Process:
        with self.log(name).open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE if pipe else log,
                stderr=log,
                env={**_clean_environment(), **environment},
                # Ctrl-C reaches the demo alone, which then ends the others in order.
                start_new_session=True,
            )
        self.running[name] = process
        return process

    async def _stop(self, name: str) -> None:
        process = self.running.pop(name)
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_DEADLINE_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    def _tail(self, name: str) -> str:
        lines = self.log(name).read_text(encoding="utf-8", errors="replace").splitlines()
        shown = [
            line if len(line) <= TAIL_WIDTH else f"{line[:TAIL_WIDTH]} …" for line in lines[-TAIL_LINES:]
        ]
        return "\n".join(f"    {line}" for line in [*shown, f"(from {self.log(name)})"])


def _verb(*arguments: str) -> list[str]:
    """A verb of fly-gha that ends with the demo, as arguments of Python."""
    return ["-I", "-S", leash.__file__, str(os.getpid()), sys.executable, "-m", "runners.cli", *arguments]


def _clean_environment() -> dict[str, str]:
    """The demo's own environment without anything that would override its fleet file."""
    ours = ("FLY_", "GITHUB_", "INFISICAL_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
