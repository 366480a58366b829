"""Our Infisical source and the token publisher, and requests by hand, against InfisicalSim's face."""

from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from runners.github.app_tokens import AppPublishing
from runners.model.settings import InfisicalSettings, PoolSettings
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.local import EnvironmentSecrets
from runners.secrets.publisher import publish_once
from runners.upstream.errors import UpstreamError
from simulator.infisical.face import build_app
from simulator.infisical.identities import WRITER, Identity
from simulator.infisical.model import InfisicalSim
from tests.contracts import github_world
from tests.contracts.exchange import Exchange, Recorder
from tests.contracts.sends import Watched
from tests.contracts.worlds import LeapingClock

URL = "http://infisical.test"
PLACE = {"projectId": "proj-1", "environment": "prod"}
LOGIN = "/api/v1/auth/universal-auth/login"
LIST = "/api/v4/secrets"
FLAGS = {"viewSecretValue": "true", "expandSecretReferences": "true", "includeImports": "true"}


@dataclass
class InfisicalWorld:
    """An InfisicalSim with recorded clients."""

    sim: InfisicalSim
    app: FastAPI
    clock: LeapingClock
    recorder: Recorder
    http: httpx.AsyncClient

    def secrets(self, identity: str = "publisher", *, secret: str = "", path: str = "/") -> Any:
        settings = InfisicalSettings(
            api_url=URL, project_id=PLACE["projectId"], environment=PLACE["environment"], path=path
        )
        opener = EnvironmentSecrets(
            {
                "INFISICAL_CLIENT_ID": f"id-{identity}",
                "INFISICAL_CLIENT_SECRET": secret or f"s3cret-{identity}",
            }
        )
        return Watched(InfisicalSecrets(settings, opener, self.clock, self.recorder))

    async def by_hand(self, identity: str, method: str, path: str, status: int, **request: Any) -> None:
        headers = {}
        if identity:
            token = self.sim.logins.login(f"id-{identity}", f"s3cret-{identity}").token
            headers["authorization"] = f"Bearer {token}"
        answer = await self.http.request(method, path, headers=headers, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"


def make_world() -> InfisicalWorld:
    clock = LeapingClock()
    sim = InfisicalSim(
        clock,
        7,
        project_id=PLACE["projectId"],
        environment=PLACE["environment"],
        identities=(
            Identity("publisher", "id-publisher", "s3cret-publisher", rights=WRITER, token_ttl=1000),
            Identity("reader", "id-reader", "s3cret-reader", token_ttl=1000),
            Identity("blind", "id-blind", "s3cret-blind", rights=frozenset({"describe"})),
            Identity("nobody", "id-nobody", "s3cret-nobody", rights=frozenset()),
        ),
        secrets={"A": "value-a", "B": "value-b"},
    )
    app = build_app(sim)
    recorder = Recorder(httpx.ASGITransport(app))
    return InfisicalWorld(sim, app, clock, recorder, httpx.AsyncClient(transport=recorder, base_url=URL))


async def play() -> tuple[FastAPI, list[Exchange], list[Exchange]]:
    """All scenes; the face, what was said to it, and what the publisher said to GitHub meanwhile."""
    said: list[Exchange] = []
    for scene in (reading, writing, logging_in, by_hand):
        world = make_world()
        async with world.http:
            await scene(world)
        said += world.recorder.exchanges
    world = make_world()
    async with world.http:
        to_github = await publishing(world)
    return world.app, [*said, *world.recorder.exchanges], to_github


async def reading(world: InfisicalWorld) -> None:
    secrets = world.secrets("reader")
    assert set(await secrets.read()) == {"A", "B"}
    assert set(await secrets.read()) == {"A", "B"}  # 304
    world.sim.faults.add("token_refused")
    await secrets.read()
    for kind, status in (("rate_limited", 429), ("server_error", 500)):
        world.sim.faults.add(kind)
        with pytest.raises(UpstreamError) as failed:
            await secrets.read()
        assert failed.value.status == status
    for source, status in ((world.secrets("blind"), 200), (world.secrets("nobody"), 403)):
        with pytest.raises(UpstreamError) as failed:
            await source.read()
        assert failed.value.status == status
    with pytest.raises(UpstreamError) as missing:
        await world.secrets("reader", path="/none").read()
    assert missing.value.status == 404


async def writing(world: InfisicalWorld) -> None:
    secrets = world.secrets()
    await secrets.write("NEW", SecretStr("one"))
    await secrets.write("NEW", SecretStr("two"))
    world.sim.faults.add("change_policy")
    with pytest.raises(UpstreamError):
        await secrets.write("NEW", SecretStr("three"))
    world.sim.faults.add("change_policy")
    with pytest.raises(UpstreamError):
        await secrets.write("OTHER", SecretStr("one"))
    with pytest.raises(UpstreamError):
        await world.secrets("reader").write("NEW", SecretStr("four"))
    with pytest.raises(UpstreamError):
        await world.secrets(path="/none").write("NEW", SecretStr("five"))


async def logging_in(world: InfisicalWorld) -> None:
    with pytest.raises(UpstreamError) as wrong:
        await world.secrets(secret="wrong").read()
    assert wrong.value.status == 401
    with pytest.raises(UpstreamError):
        await world.secrets(secret="wrong").write("A", SecretStr("x"))
    world.sim.faults.add("rate_limited")
    with pytest.raises(UpstreamError) as limited:
        await world.secrets().read()
    assert limited.value.status == 429
    await world.by_hand("", "POST", LOGIN, 400, content=b"{")
    await world.by_hand("", "POST", LOGIN, 422, json={"clientId": "id-reader"})


async def by_hand(world: InfisicalWorld) -> None:
    one = f"{LIST}/A"
    await world.by_hand("reader", "GET", one, 200, params={**PLACE, **FLAGS, "version": "1"})
    await world.by_hand("blind", "GET", one, 200, params={**PLACE, **FLAGS})
    await world.by_hand("reader", "GET", f"{LIST}/NONE", 404, params=PLACE)
    await world.by_hand("reader", "GET", one, 422, params={})
    await world.by_hand("", "GET", LIST, 401, params=PLACE)
    await world.by_hand("reader", "DELETE", one, 403, json=PLACE)
    await world.by_hand("publisher", "DELETE", one, 200, json=PLACE)
    await world.by_hand("publisher", "DELETE", one, 404, json=PLACE)
    body = {**PLACE, "secretValue": "x", "secretComment": "made by hand"}
    await world.by_hand("publisher", "POST", one, 200, json=body)
    await world.by_hand("publisher", "POST", one, 400, json=body)
    await world.by_hand("publisher", "PATCH", one, 200, json={**PLACE, "newSecretName": "Z"})
    await world.by_hand("publisher", "PATCH", one, 422, json={"secretValue": 1})


async def publishing(world: InfisicalWorld) -> list[Exchange]:
    """The publisher between both: App key in, ephemeral tokens out."""
    github = github_world.make_world()
    scopes = ("orgs/acme", "repos/acme/web")
    pools = [
        PoolSettings(name=f"gha-{scope[0]}", scope=scope, apps=("runners-a",), registration="token")
        for scope in scopes
    ]
    client, minter = github.app_mode(*scopes)
    async with github.http:
        for renewed in (3, 0):
            result = await publish_once(
                pools,
                app=AppPublishing(minter, client),
                secrets=world.secrets(),
                clock=world.clock,
                margin=600.0,
            )
            assert (len(result.renewed), result.failed) == (renewed, ())
    return github.recorder.exchanges
