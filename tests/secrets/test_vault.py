"""The Vault: a rotation is noticed, and an Infisical that is down takes nothing away."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from runners.secrets.interface import CredentialMissing, Vault
from runners.upstream.errors import UpstreamError


@pytest.fixture
def vault(world, clock) -> Vault:
    return Vault(world.secrets(), clock, period=30)


async def test_the_first_refresh_names_everything_and_a_quiet_one_nothing(vault):
    assert await vault.refresh() == {"FLY_API_TOKEN", "GITHUB_WEBHOOK_SECRET"}
    assert await vault.refresh() == frozenset()
    assert vault.names == {"FLY_API_TOKEN", "GITHUB_WEBHOOK_SECRET"}


async def test_a_rotation_is_noticed_by_name(vault, world):
    await vault.refresh()
    world.sim.rotate("FLY_API_TOKEN", "fly-value-2")
    world.sim.rotate("FLY_GHA_FLEET_KEY", "new")
    assert await vault.refresh() == {"FLY_API_TOKEN", "FLY_GHA_FLEET_KEY"}
    assert vault.require("FLY_API_TOKEN").get_secret_value() == "fly-value-2"


async def test_a_secret_taken_away_is_gone_and_named(vault, world):
    await vault.refresh()
    world.sim._shelf.remove("/", "FLY_API_TOKEN")
    assert await vault.refresh() == {"FLY_API_TOKEN"}
    assert vault.get("FLY_API_TOKEN") is None


async def test_the_last_good_reading_serves_while_infisical_is_down_and_its_age_grows(vault, world, clock):
    await vault.refresh()
    assert (vault.age, vault.stale, vault.failure) == (0, False, None)
    world.wire.cut = httpx.ConnectError
    for passed in (30, 60, 90):
        clock.at += 30
        with pytest.raises(UpstreamError):
            await vault.refresh()
        assert (vault.age, vault.stale) == (passed, False)
    assert isinstance(vault.failure, UpstreamError)
    clock.at += 1
    assert vault.stale
    assert vault.require("FLY_API_TOKEN").get_secret_value() == "fly-value-1"

    world.wire.cut = None
    await vault.refresh()
    assert (vault.age, vault.stale, vault.failure) == (0, False, None)


async def test_a_vault_that_never_read_says_why_it_is_empty(vault, world):
    assert (vault.age, vault.stale) == (None, True)
    with pytest.raises(CredentialMissing, match="nothing could be read yet"):
        vault.require("FLY_API_TOKEN")
    world.wire.cut = httpx.ConnectError
    with pytest.raises(UpstreamError):
        await vault.refresh()
    with pytest.raises(CredentialMissing, match="no connection could be made") as missing:
        vault.require("FLY_API_TOKEN")
    assert missing.value.name == "FLY_API_TOKEN"


async def test_a_missing_credential_says_its_name_where_it_was_sought_and_the_next_step(vault):
    await vault.refresh()
    with pytest.raises(CredentialMissing) as missing:
        vault.require("FLY_GHA_FLEET_KEY")
    assert str(missing.value) == (
        "credential FLY_GHA_FLEET_KEY: it is not there "
        "(looked in Infisical folder / of prod in project proj-1); "
        "next: put FLY_GHA_FLEET_KEY there; it is noticed within 30 s"
    )


async def test_an_empty_value_is_no_credential(vault, world):
    world.sim.rotate("FLY_GHA_FLEET_KEY", "  ")
    await vault.refresh()
    assert vault.get("FLY_GHA_FLEET_KEY") is None


async def test_one_reading_at_a_time_so_that_an_older_never_replaces_a_newer(clock):
    class Slow:
        where = "a slow place"
        under_way = 0
        most = 0

        async def read(self):
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            await asyncio.sleep(0)
            self.under_way -= 1
            return {"A": SecretStr("a")}

    source = Slow()
    vault = Vault(source, clock, period=30)
    await asyncio.gather(vault.refresh(), vault.refresh(), vault.refresh())
    assert source.most == 1
