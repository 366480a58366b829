"""GitHub tokens from a publisher: fresh ones are used, stale ones are missing credentials with a way out."""

import json

import pytest
from pydantic import SecretStr

from runners.secrets.github_tokens import PublishedTokens
from runners.secrets.interface import CredentialMissing, Vault
from runners.secrets.names import installation_token_name, registration_token_name
from runners.secrets.published_token import PublishedToken, read_published


@pytest.fixture
def vault(world, clock) -> Vault:
    return Vault(world.secrets(), clock, period=30)


@pytest.fixture
def tokens(vault, clock) -> PublishedTokens:
    return PublishedTokens(vault, clock, margin=60)


def _publish(world, name: str, token: str, left: float) -> None:
    world.sim.rotate(name, json.dumps({"token": token, "expires_at": world.clock.now() + left}))


async def test_a_fresh_token_is_handed_out_by_owner_whatever_its_case(world, vault, tokens):
    _publish(world, "GITHUB_INSTALLATION_TOKEN_ACME_CORP", "ghs_1", left=3600)
    await vault.refresh()
    assert (await tokens.token("Acme-Corp")).get_secret_value() == "ghs_1"
    assert await tokens.app_jwt() is None
    assert tokens.missing(["acme-corp"]) == {}


@pytest.mark.parametrize(
    ("left", "why"),
    [(59, "it expires in 59 s and was not renewed"), (0, "it expired 0 s ago"), (-40, "it expired 40 s ago")],
)
async def test_a_token_at_its_end_is_missing_and_the_publisher_is_pointed_at(world, vault, tokens, left, why):
    _publish(world, "GITHUB_INSTALLATION_TOKEN_ACME", "ghs_do-not-repeat", left=left)
    await vault.refresh()
    with pytest.raises(CredentialMissing) as missing:
        await tokens.token("acme")
    assert missing.value.why == why
    assert missing.value.where == vault.where
    assert "fly-gha tokens publish" in missing.value.next_step
    assert "do-not-repeat" not in str(missing.value)
    assert list(tokens.missing(["acme"])) == ["acme"]


async def test_a_token_grows_old_by_the_clock_alone(world, vault, tokens, clock):
    _publish(world, "GITHUB_INSTALLATION_TOKEN_ACME", "ghs_1", left=3600)
    await vault.refresh()
    clock.at += 3540
    assert await tokens.token("acme")
    clock.at += 1
    with pytest.raises(CredentialMissing):
        await tokens.token("acme")


async def test_an_owner_without_a_token_is_told_to_start_the_publisher(vault, tokens):
    with pytest.raises(CredentialMissing, match="nothing could be read yet"):
        await tokens.token("acme")
    await vault.refresh()
    with pytest.raises(CredentialMissing, match="fly-gha tokens publish") as missing:
        await tokens.token("acme")
    assert missing.value.why == "it is not there"
    assert "GITHUB_INSTALLATION_TOKEN_ACME" in tokens.missing(["acme"])["acme"]


@pytest.mark.parametrize(
    "value",
    [
        "ghs_do-not-repeat",
        '{"token": "do-not-repeat"}',
        '{"token": "do-not-repeat", "expires_at": "soon"}',
        '{"token": "do-not-repeat", "expires_at": true}',
        '{"token": "do-not-repeat", "expires_at": NaN}',
        '{"token": "", "expires_at": 1}',
        '["do-not-repeat"]',
    ],
)
async def test_a_secret_that_is_no_published_token_is_missing_and_not_repeated(world, vault, tokens, value):
    world.sim.rotate("GITHUB_INSTALLATION_TOKEN_ACME", value)
    await vault.refresh()
    with pytest.raises(CredentialMissing) as missing:
        await tokens.token("acme")
    assert "do-not-repeat" not in str(missing.value)


async def test_registration_tokens_are_kept_by_scope_and_none_is_normal(world, vault, tokens):
    _publish(world, "GITHUB_REGISTRATION_TOKEN_ACME", "AORG", left=3600)
    _publish(world, "GITHUB_REGISTRATION_TOKEN_ACME_WEB", "AREPO", left=3600)
    await vault.refresh()
    assert (await tokens.registration_token("orgs/acme")).get_secret_value() == "AORG"
    assert (await tokens.registration_token("acme")).get_secret_value() == "AORG"
    assert (await tokens.registration_token("repos/acme/web")).get_secret_value() == "AREPO"
    assert await tokens.registration_token("repos/acme/api") is None


async def test_a_stale_registration_token_is_missing_and_not_none(world, vault, tokens):
    _publish(world, "GITHUB_REGISTRATION_TOKEN_ACME", "AORG", left=10)
    await vault.refresh()
    with pytest.raises(CredentialMissing, match="fly-gha tokens publish"):
        await tokens.registration_token("orgs/acme")


def test_names_are_made_of_what_a_variable_may_hold():
    assert installation_token_name("acme-corp") == "GITHUB_INSTALLATION_TOKEN_ACME_CORP"
    assert registration_token_name("orgs/acme-corp") == "GITHUB_REGISTRATION_TOKEN_ACME_CORP"
    assert registration_token_name("repos/acme/web.site") == "GITHUB_REGISTRATION_TOKEN_ACME_WEB_SITE"
    assert registration_token_name("orgs") == "GITHUB_REGISTRATION_TOKEN_ORGS"


def test_a_published_token_reads_back_as_it_was_written():
    token = PublishedToken(SecretStr("ghs_1"), 1_790_003_600.5, {"actions": "read"})
    assert read_published(token.to_secret()) == token
    assert "ghs_1" not in repr(token)
