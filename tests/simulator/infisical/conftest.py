"""An InfisicalSim behind its HTTP face, with a clock that moves when a test moves it."""

import httpx
import pytest

from simulator.infisical.face import build_app
from simulator.infisical.identities import WRITER, Identity
from simulator.infisical.model import InfisicalSim

PLACE = {"projectId": "proj-1", "environment": "prod"}


class StillClock:
    def __init__(self, at: float = 1_790_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += max(0.0, seconds)


class Caller:
    """Any client of Infisical: logs in by hand and sends what a test says."""

    def __init__(self, sim: InfisicalSim, clock: StillClock) -> None:
        self.sim = sim
        self.clock = clock
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(build_app(sim)), base_url="http://infisical.test"
        )
        self.token = ""

    async def login(self, identity: str = "dispatcher", secret: str | None = None) -> httpx.Response:
        body = {"clientId": f"id-{identity}", "clientSecret": secret or f"s3cret-{identity}"}
        answer = await self.http.post("/api/v1/auth/universal-auth/login", json=body)
        if answer.is_success:
            self.token = answer.json()["accessToken"]
        return answer

    async def list(self, headers: dict[str, str] | None = None, **query: str) -> httpx.Response:
        return await self.http.get(
            "/api/v4/secrets", params={**PLACE, **query}, headers={**self._bearer, **(headers or {})}
        )

    async def get(self, name: str, **query: str) -> httpx.Response:
        return await self.http.get(f"/api/v4/secrets/{name}", params={**PLACE, **query}, headers=self._bearer)

    async def send(self, method: str, name: str, **body: str) -> httpx.Response:
        return await self.http.request(
            method, f"/api/v4/secrets/{name}", json={**PLACE, **body}, headers=self._bearer
        )

    @property
    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


def make_sim(clock: StillClock, **figures: object) -> InfisicalSim:
    return InfisicalSim(
        clock,
        7,
        project_id="proj-1",
        folders=("/ci",),
        identities=(
            Identity("dispatcher", "id-dispatcher", "s3cret-dispatcher", token_ttl=1000),
            Identity("publisher", "id-publisher", "s3cret-publisher", rights=WRITER, token_ttl=1000),
            Identity("blind", "id-blind", "s3cret-blind", rights=frozenset({"describe"})),
        ),
        secrets={"A": "value-a", "B": "value-b"},
        **figures,
    )


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def caller_for(clock):
    """Makes a caller of a sim with other figures: ``caller_for(scale=10)``."""
    return lambda **figures: Caller(make_sim(clock, **figures), clock)


@pytest.fixture
def caller(caller_for) -> Caller:
    return caller_for()
