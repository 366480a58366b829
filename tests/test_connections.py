"""Connections: every client over its own transport, every credential asked for with each call."""

import json
from pathlib import Path

import httpx
import pytest

from machines.prices import usd_per_hour
from runners.connections import connect
from runners.fleet_file import check_settings
from runners.upstream.errors import UpstreamError
from tests.fleet_world import IMAGE, HandClock, Network, pool, settings_for

NAMES = {
    "FLY_API_TOKEN": "fm2_x",
    "FLY_GHA_FLEET_KEY": "k" * 32,
    "GITHUB_WEBHOOK_SECRET": "w",
    "GITHUB_INSTALLATION_TOKEN_ACME": json.dumps({"token": "ghs_x", "expires_at": 1e12}),
}


def made(environ=None, net=None, **changes):
    settings = settings_for(Path("/nowhere"), **changes)
    network = net or Network()
    return connect(settings, HandClock(), NAMES if environ is None else environ, inner=lambda: network)


async def missing(environ, **changes):
    connections = made(environ, **changes)
    await connections.vault.refresh()
    return connections.missing()


async def test_with_every_credential_nothing_is_missing():
    assert await missing(NAMES) == {}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("FLY_API_TOKEN", {"fly"}),
        ("GITHUB_WEBHOOK_SECRET", {"webhook"}),
        ("FLY_GHA_FLEET_KEY", {"seal", "github:acme"}),
        ("GITHUB_INSTALLATION_TOKEN_ACME", {"github:acme"}),
    ],
)
async def test_a_missing_credential_is_named_for_what_it_stops(name, keys):
    found = await missing({key: value for key, value in NAMES.items() if key != name})
    assert set(found) == keys
    assert all(name in why for why in found.values())


async def test_in_app_mode_it_is_the_key_that_is_missing():
    found = await missing(NAMES, github={"credentials": "app", "app_id": "1"})
    assert found == {"github:acme": "GITHUB_APP_PRIVATE_KEY"}


async def test_an_expired_token_is_as_good_as_missing():
    old = {**NAMES, "GITHUB_INSTALLATION_TOKEN_ACME": json.dumps({"token": "ghs_x", "expires_at": 1.0})}
    assert "expired" in (await missing(old))["github:acme"]


async def test_the_publisher_takes_the_app_key_from_its_own_credentials_alone():
    settings = settings_for(Path("/nowhere"), fleet={"secrets": "infisical"}, github={"app_id": "1"})
    connections = connect(settings, HandClock(), NAMES, as_app=True, inner=Network)
    assert connections.keys is not connections.vault
    assert connections.keys.where == "the environment"
    assert "Infisical" in connections.vault.where


async def test_an_app_that_keeps_failing_is_told_by_its_key_and_no_other():
    net = Network()
    net.down("fly.sim")
    connections = made(net=net)
    await connections.vault.refresh()
    for _ in range(5):
        with pytest.raises(UpstreamError):
            await connections.provider.list("app-a")
    assert set(connections.blocked()) == {"fly:app-a"}
    sent = len(net.calls)
    with pytest.raises(UpstreamError):
        await connections.provider.list("app-a")
    assert len(net.calls) == sent


async def test_every_finished_call_is_told_to_the_observer():
    records, net = [], Network()
    net.rule("answer", "GET", "/machines$", status=429, body={})
    settings = settings_for(Path("/nowhere"))
    connections = connect(settings, HandClock(), NAMES, inner=lambda: net, observer=records.append)
    await connections.vault.refresh()
    with pytest.raises(UpstreamError):
        await connections.provider.list("app-a")
    assert [(record.key, record.status) for record in records] == [("fly:app-a", 429)]


async def test_closing_closes_every_transport():
    closed = []

    class Inner(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request):
            raise AssertionError

        async def aclose(self):
            closed.append(self)

    await connect(settings_for(Path("/nowhere")), HandClock(), NAMES, inner=Inner).close()
    assert len(closed) == 3


def test_prices_are_those_of_the_pools_dearest_region():
    connections = made(pools=[pool(regions=["iad", "nrt"]), pool("gha-large")])
    small = connections.classes["gha-small"]
    assert connections.pool_prices()["gha-small"] == max(usd_per_hour(small, r) for r in ("iad", "nrt"))
    assert connections.price("gha-small", "iad") == usd_per_hour(small, "iad")
    assert connections.price("no-such-class", "iad") == 0.0


def test_a_pool_of_every_class_that_comes_with_the_product_can_be_configured():
    pools = [pool(name) for name in made().classes]
    assert len(check_settings({"fly": {"image": IMAGE}, "pools": pools}, "test").pools) == len(pools)
