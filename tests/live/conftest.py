"""Live tests: skipped with the reason while a variable is not set, else run with the clients of serve."""

import asyncio
import os
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest
from live_settings import CONFIG, LOOK, PATIENCE, missing, told

from fly.client import FlyClient
from runners.connections import Connections, connect, network
from runners.fleet_file import load_settings
from runners.upstream.clock import SystemClock

SAID = pytest.StashKey[list[str]]()


def pytest_configure(config):
    config.stash[SAID] = []
    config.addinivalue_line("markers", "canary: run with --live-canary only")
    config.addinivalue_line("markers", "needs(*names): the variables without which this test is skipped")
    config.addinivalue_line(
        "markers", "only_reality(*claims): what a simulator cannot answer, since it repeats what was assumed"
    )
    if config.getoption("--live") and (why := missing(CONFIG)):
        pytest.exit(f"live: nothing was tested: {why}", returncode=2)


def pytest_collection_modifyitems(items):
    for item in items:
        if not item.path.is_relative_to(Path(__file__).parent):
            continue
        needs = [name for mark in item.iter_markers("needs") for name in mark.args]
        why = missing(CONFIG, *needs)
        if not item.config.getoption("--live"):
            why = "`make live` runs it: see tests/live/README.md"
        if not why and item.get_closest_marker("canary") and not item.config.getoption("--live-canary"):
            why = "it boots a Machine for each pool: add --live-canary"
        if why:
            item.add_marker(pytest.mark.skip(reason=why))
        # One Machine, one registration, one run at a time.
        item.add_marker(pytest.mark.xdist_group("live"))


def pytest_terminal_summary(terminalreporter, config):
    if config.stash[SAID]:
        terminalreporter.section("what was found out")
        for line in config.stash[SAID]:
            terminalreporter.write_line(line)


@dataclass
class Exchange:
    """One call as it went over the wire."""

    request: httpx.Request
    status: int
    headers: httpx.Headers
    body: bytes


class Recorder(httpx.AsyncBaseTransport):
    """Sends, and keeps what was answered."""

    def __init__(self, exchanges: list[Exchange]) -> None:
        self._inner = network()
        self._exchanges = exchanges

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self._inner.handle_async_request(request)
        body = await answer.aread()
        self._exchanges.append(Exchange(request, answer.status_code, answer.headers, body))
        # It was read decoded.
        headers = [(name, value) for name, value in answer.headers.multi_items()
                   if name not in ("content-encoding", "content-length", "transfer-encoding")]  # fmt: skip
        return httpx.Response(answer.status_code, headers=headers, content=body, request=request)

    async def aclose(self) -> None:
        await self._inner.aclose()


@dataclass
class Live:
    """A fleet's clients, as `fly-gha serve` would have them.

    Attributes:
        run: differs from run to run; part of every name that is made.
        exchanges: every call, oldest first.
        say: tells the person something that only the real thing could.
    """

    connections: Connections
    say: Callable[[str], None]
    run: str = field(default_factory=lambda: secrets.token_hex(4))
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def settings(self):
        return self.connections.settings

    def http(self) -> httpx.AsyncClient:
        """What sends to Fly; the transport below has the deadline."""
        return httpx.AsyncClient(transport=self.connections.transports[0], timeout=None)  # noqa: S113

    def fly(self) -> FlyClient:
        """The Machines API, through the transport that the provider has."""
        return FlyClient(
            self.http(),
            token=lambda: self.connections.vault.require("FLY_API_TOKEN"),
            base_url=self.settings.fly.api_hostname,
        )

    async def until(self, look: Callable[[], Awaitable], within: float | None = None):
        """What ``look`` answers as soon as it is true; patience and pace are the environment's."""
        deadline = time.monotonic() + min(within or float(told(PATIENCE)), float(told(PATIENCE)))
        while not (seen := await look()):
            assert time.monotonic() < deadline, "it did not happen in time"
            await asyncio.sleep(float(told(LOOK)))
        return seen


@pytest.fixture(autouse=True)
def _beside_the_fleet_file(monkeypatch):
    """Paths in fleet.toml are as seen from its folder."""
    config = Path(told(CONFIG)).absolute()
    monkeypatch.setenv(CONFIG, str(config))
    monkeypatch.chdir(config.parent)


@pytest.fixture
async def live(request, pytestconfig):
    exchanges: list[Exchange] = []
    settings = load_settings(Path(told(CONFIG)))
    connections = connect(settings, SystemClock(), os.environ, inner=lambda: Recorder(exchanges))
    name = request.node.name
    said = pytestconfig.stash[SAID]
    try:
        await connections.vault.refresh()
        yield Live(connections, lambda text: said.append(f"{name}: {text}"), exchanges=exchanges)
    finally:
        await connections.close()
