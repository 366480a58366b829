"""Logging in to Infisical as the Fly Machine we run on: no stored secret, and no storm when it is refused."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from pydantic import SecretStr

from machines.own_identity import OwnIdentity
from runners.connections import connect
from runners.model.settings import InfisicalSettings
from runners.secrets.fly_oidc import FlyOidc
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.infisical_login import RETRY_REFUSED_S
from runners.upstream.errors import ErrorClass, UpstreamError
from simulator.draws import Draws
from simulator.fly.oidc import OidcIssuer
from simulator.fly.token_socket import serve_tokens
from simulator.infisical.face import build_app
from simulator.infisical.identities import Identity
from simulator.infisical.model import InfisicalSim
from simulator.infisical.oidc_auth import OidcAuth
from tests.contracts.worlds import signing_key
from tests.fleet_world import settings_for

AUDIENCE = "https://infisical.acme.example"
LOGIN = "POST /api/v1/auth/oidc-auth/login"


class Rig:
    """A dispatcher on a Fly Machine: Fly's socket, Fly's issuer, an Infisical that trusts it."""

    def __init__(self, clock, wire_of) -> None:
        self.clock = clock
        self.issuer = OidcIssuer("http://fly.test", "acme", Draws(7), signing_key())
        self.app = "acme-dispatcher"
        self.minted: list[str | None] = []
        self.issuer_down = False
        url = self.issuer.issuer
        self.oidc = OidcAuth(url, url, AUDIENCE, "acme:acme-dispatcher:*", {"app_name": "acme-dispatcher"})
        self.sim = InfisicalSim(
            clock,
            7,
            project_id="proj-1",
            identities=(Identity("dispatcher", identity_id="idt-1", oidc=self.oidc, token_ttl=1000),),
            secrets={"FLY_API_TOKEN": "fly-value-1"},
        )
        self.wire = wire_of(
            httpx.ASGITransport(build_app(self.sim, transport=httpx.MockTransport(self._issuer)))
        )

    def secrets(self, socket: str, **changed: str) -> InfisicalSecrets:
        settings = InfisicalSettings(
            **{"api_url": "http://infisical.test", "project_id": "proj-1", "identity_id": "idt-1", **changed}
        )
        method = FlyOidc(
            settings.identity_id, settings.audience or AUDIENCE, OwnIdentity(self.clock, socket).token
        )
        return InfisicalSecrets(InfisicalCalls(settings, method, self.clock, self.wire))

    def mint(self, audience: str | None) -> str:
        self.minted.append(audience)
        machine = SimpleNamespace(
            app=self.app, image="r:1", id="9185", name="blue-1", instance_id="01", region="iad"
        )
        return self.issuer.mint(machine, audience, self.clock.now())

    def change(self, **bounds: object) -> None:
        self.sim.logins.change_oidc("idt-1", dataclasses.replace(self.oidc, **bounds))

    def _issuer(self, request: httpx.Request) -> httpx.Response:
        if self.issuer_down:
            return httpx.Response(503)
        found = self.issuer.discovery() if "openid" in request.url.path else self.issuer.key_set()
        return httpx.Response(200, json=found)


@pytest.fixture
def rig(clock, world) -> Rig:
    return Rig(clock, type(world.wire))


@pytest.fixture
async def socket(rig, tmp_path):
    path = tmp_path / "api"
    server = await serve_tokens(path, rig.mint)
    yield str(path)
    server.close()


async def test_a_machine_reads_its_secrets_with_nothing_stored_and_logs_in_once(rig, socket):
    secrets = rig.secrets(socket)
    assert set(await secrets.read()) == {"FLY_API_TOKEN"}
    await secrets.read()
    assert rig.minted == [AUDIENCE]
    assert [entry["identity_id"] for entry in rig.sim.journal.of("login")] == ["idt-1"]


async def test_at_eighty_percent_of_its_life_a_new_login_presents_a_new_token(rig, socket, clock):
    secrets = rig.secrets(socket)
    await secrets.read()
    clock.at += 800
    await secrets.read()
    assert len(rig.minted) == 2
    assert not rig.sim.journal.of("refused")


REFUSALS = [
    ({"bound_subject": "acme:other:*"}, 403, "boundSubject"),
    ({"bound_audiences": "https://elsewhere"}, 401, "boundAudiences"),
    ({"bound_claims": {"app_name": "other"}}, 401, "boundClaims"),
    ({"bound_issuer": "https://oidc.fly.io/other"}, 401, "boundIssuer"),
    ({}, 401, "oidcDiscoveryUrl"),
]


@pytest.mark.parametrize(("bounds", "status", "named"), REFUSALS)
async def test_a_refusal_names_the_bound_of_the_identity_that_does_not_fit(
    rig, socket, bounds, status, named
):
    rig.change(**bounds)
    rig.issuer_down = not bounds
    with pytest.raises(UpstreamError) as refused:
        await rig.secrets(socket).read()
    assert (refused.value.status, refused.value.error_class) == (status, ErrorClass.REFUSED)
    assert named in refused.value.next_step


async def test_a_new_token_is_no_change_so_a_refused_machine_asks_again_only_after_ten_minutes(
    rig, socket, clock
):
    rig.change(bound_subject="acme:other:*")
    secrets = rig.secrets(socket)
    for _ in range(20):
        with pytest.raises(UpstreamError) as refused:
            await secrets.read()
        clock.at += 29
    assert rig.wire.paths() == [LOGIN]
    assert len(rig.minted) == 1
    assert refused.value.retry_at == refused.value.retry_at
    rig.change()
    clock.at += RETRY_REFUSED_S
    assert await secrets.read()


async def test_a_job_on_a_runner_machine_is_refused_by_subject_and_by_app_each_alone(rig, socket):
    rig.app = "acme-runners-a"
    for bounds in ({"bound_subject": ""}, {"bound_claims": {}}):
        rig.change(**bounds)
        with pytest.raises(UpstreamError) as refused:
            await rig.secrets(socket).read()
        assert refused.value.status in (401, 403)


async def test_an_unknown_identity_is_not_found(rig, socket):
    with pytest.raises(UpstreamError) as missing:
        await rig.secrets(socket, identity_id="idt-2").read()
    assert (missing.value.status, missing.value.error_class) == (404, ErrorClass.NOT_FOUND)
    assert "infisical.identity_id" in missing.value.next_step


async def test_off_fly_the_missing_socket_is_named_and_nothing_is_sent(rig, tmp_path):
    with pytest.raises(UpstreamError) as alone:
        await rig.secrets(str(tmp_path / "none")).read()
    assert alone.value.error_class is ErrorClass.REFUSED
    assert "no Fly Machine" in alone.value.why
    assert 'infisical.auth = "universal"' in alone.value.next_step
    assert rig.wire.sent == []


async def test_the_machines_token_and_infisicals_are_shown_nowhere(rig, socket, caplog):
    caplog.set_level("DEBUG")
    secrets = rig.secrets(socket)
    await secrets.read()
    token = (await OwnIdentity(rig.clock, socket).token(AUDIENCE)).get_secret_value()
    assert isinstance(await OwnIdentity(rig.clock, socket).token(AUDIENCE), SecretStr)
    shown = caplog.text + repr(vars(secrets._calls._login)) + str(list(rig.sim.journal))
    assert token.split(".")[2] not in shown
    assert "sim-access-token" not in shown


async def test_a_dispatcher_with_auth_fly_oidc_is_composed_with_the_socket_of_its_environment(rig, socket):
    settings = settings_for(
        Path("/nowhere"),
        fleet={"secrets": "infisical"},
        infisical={
            "api_url": "http://infisical.test/api",
            "auth": "fly-oidc",
            "identity_id": "idt-1",
            "audience": AUDIENCE,
        },
    )
    environ = {"FLY_API_SOCKET": socket, "FLY_APP_NAME": "acme-dispatcher"}
    connections = connect(settings, rig.clock, environ, inner=lambda: rig.wire)
    await connections.vault.refresh()
    assert connections.vault.names == {"FLY_API_TOKEN"}
    assert rig.minted == [AUDIENCE]


async def test_a_process_in_an_app_of_a_pool_does_not_log_in_as_what_every_job_could_be(rig, socket):
    oidc = {"api_url": "http://infisical.test", "auth": "fly-oidc", "identity_id": "idt-1"}
    settings = settings_for(Path("/nowhere"), fleet={"secrets": "infisical"}, infisical=oidc)
    environ = {"FLY_API_SOCKET": socket, "FLY_APP_NAME": settings.pools[0].apps[0]}
    with pytest.raises(UpstreamError) as shared:
        await connect(settings, rig.clock, environ, inner=lambda: rig.wire).vault.refresh()
    assert "a Fly app of its own" in shared.value.next_step
    assert (rig.minted, rig.wire.sent) == ([], [])
