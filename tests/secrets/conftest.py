"""Our Infisical client in front of an InfisicalSim, with a clock that moves when a test moves it."""

import asyncio
from collections.abc import Mapping

import httpx
import pytest
from pydantic import SecretStr

from runners.model.settings import InfisicalSettings
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.universal_auth import UniversalAuth
from simulator.infisical.face import build_app
from simulator.infisical.identities import WRITER, Identity
from simulator.infisical.model import InfisicalSim

TOKEN_TTL = 1000.0


class StillClock:
    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += max(0.0, seconds)


class Wire(httpx.AsyncBaseTransport):
    """The network: remembers what was sent, and can be cut."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner = inner
        self.sent: list[httpx.Request] = []
        self.cut: type[httpx.TransportError] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        await asyncio.sleep(0)  # a network always lets others run; ASGITransport may not
        if self.cut is not None:
            raise self.cut("cut by the test", request=request)
        return await self.inner.handle_async_request(request)

    def paths(self) -> list[str]:
        return [f"{request.method} {request.url.raw_path.decode().split('?')[0]}" for request in self.sent]


class Opener:
    """Where the client id and secret are; a test may change them."""

    where = "the test's own hands"

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = dict(values)

    async def read(self) -> Mapping[str, SecretStr]:
        return {name: SecretStr(value) for name, value in self.values.items()}


class World:
    def __init__(self, clock: StillClock) -> None:
        self.clock = clock
        self.sim = InfisicalSim(
            clock,
            7,
            project_id="proj-1",
            folders=("/ci",),
            identities=(
                Identity("dispatcher", "id-dispatcher", "s3cret-dispatcher", token_ttl=TOKEN_TTL),
                Identity("publisher", "id-publisher", "s3cret-publisher", rights=WRITER, token_ttl=TOKEN_TTL),
                Identity("blind", "id-blind", "s3cret-blind", rights=frozenset({"describe"})),
                Identity("outsider", "id-outsider", "s3cret-outsider", rights=frozenset()),
            ),
            secrets={"FLY_API_TOKEN": "fly-value-1", "GITHUB_WEBHOOK_SECRET": "hook-value-1"},
        )
        self.wire = Wire(httpx.ASGITransport(build_app(self.sim)))

    def opener(self, identity: str = "dispatcher", client_secret: str | None = None) -> Opener:
        return Opener(
            {
                "INFISICAL_CLIENT_ID": f"id-{identity}",
                "INFISICAL_CLIENT_SECRET": client_secret or f"s3cret-{identity}",
            }
        )

    def settings(self, **place: str) -> InfisicalSettings:
        return InfisicalSettings(**{"api_url": "http://infisical.test", "project_id": "proj-1", **place})

    def secrets(
        self, identity: str = "dispatcher", *, opener: Opener | None = None, **place: str
    ) -> InfisicalSecrets:
        return self.through(self.wire, opener or self.opener(identity), **place)

    def through(
        self, transport: httpx.AsyncBaseTransport, opener: Opener | None = None, **place: str
    ) -> InfisicalSecrets:
        method = UniversalAuth(opener or self.opener())
        return InfisicalSecrets(InfisicalCalls(self.settings(**place), method, self.clock, transport))

    def stored(self, name: str, path: str = "/") -> str:
        return self.sim._shelf.get(path, name).latest.value

    def logins(self) -> int:
        return len(self.sim.journal.of("login"))


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def world(clock: StillClock) -> World:
    return World(clock)
