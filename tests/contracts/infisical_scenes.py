"""Our Infisical source and the token publisher, and requests by hand, against InfisicalSim's face."""

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from runners.github.app_tokens import AppPublishing
from runners.model.settings import InfisicalSettings, PoolSettings
from runners.secrets.fly_oidc import FlyOidc
from runners.secrets.github_leases import GitHubLeases, PlanRestricted
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.local import EnvironmentSecrets
from runners.secrets.publisher import publish_once
from runners.secrets.universal_auth import UniversalAuth
from runners.upstream.errors import UpstreamError
from simulator.draws import Draws
from simulator.fly.oidc import OidcIssuer
from simulator.infisical.face import build_app
from simulator.infisical.identities import LESSEE, WRITER, Identity
from simulator.infisical.leases import GitHubDynamicSecret
from simulator.infisical.model import InfisicalSim
from simulator.infisical.oidc_auth import OidcAuth
from tests.contracts import github_world
from tests.contracts.exchange import Exchange, Recorder
from tests.contracts.sends import Watched
from tests.contracts.worlds import LeapingClock, signing_key

if TYPE_CHECKING:
    from simulator.fly.machine import SimMachine

URL = "http://infisical.test"
PLACE = {"projectId": "proj-1", "environment": "prod"}
LOGIN = "/api/v1/auth/universal-auth/login"
OIDC = "/api/v1/auth/oidc-auth/login"
LEASES = "/api/v1/dynamic-secrets/leases"
LIST = "/api/v4/secrets"
ISSUER = "http://fly.test/oidc/acme"
AUDIENCE = "https://infisical.test"
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
        return Watched(
            InfisicalSecrets(InfisicalCalls(settings, UniversalAuth(opener), self.clock, self.recorder))
        )

    def as_machine(self, jwt: str) -> Any:
        """Secrets read with a Fly Machine's token."""

        async def mint(_: str) -> SecretStr:
            return SecretStr(jwt)

        settings = InfisicalSettings(api_url=URL, project_id=PLACE["projectId"])
        method = FlyOidc("identity-machine", AUDIENCE, mint)
        return Watched(InfisicalSecrets(InfisicalCalls(settings, method, self.clock, self.recorder)))

    def leases(self, identity: str = "lessee", **changed: str) -> Any:
        settings = InfisicalSettings(
            **{"api_url": URL, "project_id": PLACE["projectId"], "project_slug": "proj-slug", **changed}
        )
        opener = EnvironmentSecrets(
            {"INFISICAL_CLIENT_ID": f"id-{identity}", "INFISICAL_CLIENT_SECRET": f"s3cret-{identity}"}
        )
        calls = InfisicalCalls(settings, UniversalAuth(opener), self.clock, self.recorder)
        return Watched(GitHubLeases(calls))

    async def by_hand(self, identity: str, method: str, path: str, status: int, **request: Any) -> None:
        headers = {}
        if identity:
            token = self.sim.logins.login(f"id-{identity}", f"s3cret-{identity}").token
            headers["authorization"] = f"Bearer {token}"
        answer = await self.http.request(method, path, headers=headers, **request)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"


def make_world() -> InfisicalWorld:
    github = github_world.make_world()
    clock = github.clock
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
            Identity("lessee", "id-lessee", "s3cret-lessee", rights=LESSEE, token_ttl=1000),
            Identity(
                "machine",
                identity_id="identity-machine",
                oidc=OidcAuth(ISSUER, ISSUER, AUDIENCE, "acme:dispatcher:*", {"app_name": "dispatcher"}),
            ),
        ),
        secrets={"A": "value-a", "B": "value-b"},
        project_slug="proj-slug",
        dynamic_secrets=(
            GitHubDynamicSecret(
                "github-acme", github_world.APP_ID, github_world.private_key().get_secret_value()
            ),
        ),
    )
    app = build_app(sim, github_url=github_world.URL, transport=Others(httpx.ASGITransport(github.app)))
    recorder = Recorder(httpx.ASGITransport(app))
    return InfisicalWorld(sim, app, clock, recorder, httpx.AsyncClient(transport=recorder, base_url=URL))


class Others(httpx.AsyncBaseTransport):
    """Whom Infisical itself asks: GitHub, and Fly's issuer."""

    def __init__(self, github: httpx.AsyncBaseTransport) -> None:
        self._github = github

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host == "github.test":
            return await self._github.handle_async_request(request)
        issuer = fly_issuer()
        return httpx.Response(
            200, json=issuer.discovery() if "openid" in request.url.path else issuer.key_set()
        )


@cache
def fly_issuer() -> OidcIssuer:
    """Fly's issuer for the organization acme."""
    return OidcIssuer("http://fly.test", "acme", Draws(7), signing_key())


def machine_token(now: float, app: str = "dispatcher") -> str:
    """What a Machine of that app gets from its socket."""
    machine = SimpleNamespace(
        app=app, image="registry.fly.io/a:1", id="91850", name="blue-sky-1", instance_id="01", region="iad"
    )
    return fly_issuer().mint(cast("SimMachine", machine), AUDIENCE, now)


async def play() -> tuple[FastAPI, list[Exchange], list[Exchange]]:
    """All scenes; the face, what was said to it, and what the publisher said to GitHub meanwhile."""
    said: list[Exchange] = []
    for scene in (reading, writing, logging_in, by_hand, as_machine, leasing):
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


async def as_machine(world: InfisicalWorld) -> None:
    now = world.clock.now()
    secrets = world.as_machine(machine_token(now))
    await secrets.read()
    with pytest.raises(UpstreamError) as forbidden:
        await secrets.write("A", SecretStr("x"))
    assert forbidden.value.status == 403
    other = machine_token(now, "runners-a")
    for jwt, status in ((other, 403), (machine_token(now - 3600), 401), ("no.real.token", 401)):
        with pytest.raises(UpstreamError) as refused:
            await world.as_machine(jwt).read()
        assert refused.value.status == status
    await world.by_hand("", "POST", OIDC, 404, json={"identityId": "none", "jwt": "x"})
    await world.by_hand("", "POST", OIDC, 422, json={"identityId": "identity-machine"})


async def leasing(world: InfisicalWorld) -> None:
    leases = world.leases()
    token, ends_at = await leases.installation_token("acme")
    assert token.get_secret_value().startswith("ghs_")
    assert 3590 < ends_at - world.clock.now() <= 3600
    world.sim.faults.add("plan_restriction")
    with pytest.raises(PlanRestricted):
        await leases.installation_token("acme")
    world.sim.faults.add("server_error", action="lease")
    wrong = [
        (world.leases(), 500, "acme"),
        (world.leases(), 404, "other"),
        (world.leases(project_slug="none"), 404, "acme"),
        (world.leases("reader"), 403, "acme"),
    ]
    for lessor, status, owner in wrong:
        with pytest.raises(UpstreamError) as refused:
            await lessor.installation_token(owner)
        assert refused.value.status == status
    body = {"dynamicSecretName": "GitHub-acme", "projectSlug": "proj-slug", "environmentSlug": "prod"}
    await world.by_hand("lessee", "POST", LEASES, 200, json={**body, "path": "/", "ttl": "30m"})
    await world.by_hand("lessee", "POST", LEASES, 422, json={"path": "/"})


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
                app=AppPublishing(minter, client, github.probe()),
                secrets=world.secrets(),
                clock=world.clock,
                margin=600.0,
            )
            assert (len(result.renewed), result.failed) == (renewed, ())
    return github.recorder.exchanges
