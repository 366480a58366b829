"""The publisher's pass: renews what is soon stale, keeps what lives, and may be stopped at any time."""

import json

import pytest
from pydantic import SecretStr

from runners.model.settings import PoolSettings
from runners.secrets.github_tokens import PublishedTokens
from runners.secrets.interface import CredentialMissing, Vault
from runners.secrets.publisher import NamesCollide, Outcome, publish_once
from runners.upstream.errors import ErrorClass, UpstreamError

HOUR = 3600.0
MARGIN = 600.0


class App:
    """A stand-in for the App's key: hands out numbered tokens for an hour and remembers what was asked."""

    def __init__(self, clock) -> None:
        self.clock = clock
        self.asked: list[tuple[str, dict[str, str] | None]] = []
        self.lacks: set[str] = set()
        self.revoked: set[str] = set()

    async def refuses(self, token):
        return token.get_secret_value() in self.revoked

    async def installation_token(self, owner, permissions):
        return self._mint(owner, dict(permissions))

    async def registration_token(self, scope):
        return self._mint(scope, None)

    def _mint(self, target, permissions):
        self.asked.append((target, permissions))
        if target in self.lacks:
            raise UpstreamError(
                upstream="github",
                error_class=ErrorClass.REFUSED,
                attempted=f"find the installation of {target}",
                why="the App is not installed there",
            )
        return SecretStr(f"ghs_{len(self.asked)}"), self.clock.now() + HOUR


def _pool(name: str, scope: str = "orgs/acme", registration: str = "jit") -> PoolSettings:
    return PoolSettings(name=name, scope=scope, registration=registration, apps=("app-a",))


@pytest.fixture
def app(clock) -> App:
    return App(clock)


@pytest.fixture
def publish(world, app, clock):
    async def once(*pools, secrets=None):
        return await publish_once(
            pools, app=app, secrets=secrets or world.secrets("publisher"), clock=clock, margin=MARGIN
        )

    return once


def _outcomes(result) -> dict[str, Outcome]:
    return {report.name: report.outcome for report in result.tokens}


async def test_a_jit_pool_gets_one_narrow_installation_token(publish, app, world, clock):
    result = await publish(_pool("a"), _pool("b"))
    assert app.asked == [
        ("acme", {"organization_self_hosted_runners": "write", "actions": "read", "metadata": "read"})
    ]
    stored = json.loads(world.stored("GITHUB_INSTALLATION_TOKEN_ACME"))
    assert (stored["token"], stored["expires_at"]) == ("ghs_1", clock.now() + HOUR)
    assert _outcomes(result) == {"GITHUB_INSTALLATION_TOKEN_ACME": Outcome.RENEWED}
    assert result.renew_at == clock.now() + HOUR - MARGIN


async def test_a_repository_scope_asks_for_administration_and_nothing_of_the_organization(publish, app):
    await publish(_pool("a", "repos/acme/web"))
    assert app.asked == [("acme", {"administration": "write", "actions": "read", "metadata": "read"})]


async def test_pools_that_register_by_token_get_one_registration_token_per_scope(publish, app, world):
    result = await publish(
        _pool("a", registration="token"),
        _pool("b", registration="auto"),
        _pool("c", "repos/acme/web", "token"),
        _pool("d", "orgs/other"),
    )
    assert list(_outcomes(result)) == [
        "GITHUB_INSTALLATION_TOKEN_ACME",
        "GITHUB_INSTALLATION_TOKEN_OTHER",
        "GITHUB_REGISTRATION_TOKEN_ACME",
        "GITHUB_REGISTRATION_TOKEN_ACME_WEB",
    ]
    assert json.loads(world.stored("GITHUB_REGISTRATION_TOKEN_ACME_WEB")).keys() == {"token", "expires_at"}
    assert [target for target, _ in app.asked] == ["acme", "other", "orgs/acme", "repos/acme/web"]


async def test_a_token_is_renewed_only_when_no_more_than_the_margin_is_left(publish, app, clock):
    await publish(_pool("a"))
    clock.at += HOUR - MARGIN - 1
    assert _outcomes(await publish(_pool("a"))) == {"GITHUB_INSTALLATION_TOKEN_ACME": Outcome.KEPT}
    clock.at += 1
    result = await publish(_pool("a"))
    assert _outcomes(result) == {"GITHUB_INSTALLATION_TOKEN_ACME": Outcome.RENEWED}
    assert result.tokens[0].why == "600 s were left"
    assert len(app.asked) == 2


async def test_a_token_that_github_revoked_is_renewed_though_it_has_long_to_live(publish, app):
    await publish(_pool("a", registration="token"))
    app.revoked.add("ghs_1")
    result = await publish(_pool("a", registration="token"))
    assert _outcomes(result) == {
        "GITHUB_INSTALLATION_TOKEN_ACME": Outcome.RENEWED,
        "GITHUB_REGISTRATION_TOKEN_ACME": Outcome.KEPT,
    }
    assert result.tokens[0].why == "GitHub refuses it before its time"


async def test_a_publisher_that_starts_anew_keeps_what_it_finds(publish, world, app):
    await publish(_pool("a"))
    again = await publish(_pool("a"), secrets=world.secrets("publisher"))
    assert again.renewed == ()
    assert len(app.asked) == 1


async def test_what_is_no_published_token_is_replaced(publish, world):
    world.sim.rotate("GITHUB_INSTALLATION_TOKEN_ACME", "ghp_put-there-by-hand")
    result = await publish(_pool("a"))
    assert (result.tokens[0].outcome, result.tokens[0].why) == (Outcome.RENEWED, "none was there")


async def test_a_pool_with_a_new_kind_of_scope_widens_the_token_at_once(publish, app):
    await publish(_pool("a"))
    result = await publish(_pool("a"), _pool("b", "repos/acme/web"))
    assert _outcomes(result) == {"GITHUB_INSTALLATION_TOKEN_ACME": Outcome.RENEWED}
    assert app.asked[-1][1] == {
        "organization_self_hosted_runners": "write",
        "administration": "write",
        "actions": "read",
        "metadata": "read",
    }


async def test_one_owner_that_refuses_does_not_keep_the_others_from_being_renewed(publish, app, clock):
    app.lacks.add("acme")
    result = await publish(_pool("a"), _pool("b", "orgs/other"))
    assert _outcomes(result) == {
        "GITHUB_INSTALLATION_TOKEN_ACME": Outcome.FAILED,
        "GITHUB_INSTALLATION_TOKEN_OTHER": Outcome.RENEWED,
    }
    assert "not installed" in result.failed[0].why
    assert result.renew_at == clock.now(), "a failure is due again at once"


async def test_a_failed_renewal_tells_how_long_the_old_token_still_lives(publish, app, clock):
    ends = (await publish(_pool("a"))).tokens[0].expires_at
    app.lacks.add("acme")
    clock.at += HOUR - 60
    failed = (await publish(_pool("a"))).failed[0]
    assert failed.expires_at == ends


async def test_a_write_that_fails_is_reported_and_the_next_pass_mints_anew(publish, app, world):
    world.sim.faults.add("server_error", action="update")
    assert [report.outcome for report in (await publish(_pool("a"))).tokens] == [Outcome.FAILED]
    assert [report.outcome for report in (await publish(_pool("a"))).tokens] == [Outcome.RENEWED]
    assert len(app.asked) == 2


async def test_nothing_is_minted_when_what_is_there_cannot_be_read(publish, app, world):
    world.sim.faults.add("server_error", action="list")
    with pytest.raises(UpstreamError):
        await publish(_pool("a"))
    assert app.asked == []


async def test_an_owner_spelt_in_two_ways_is_one_owner(publish, app):
    await publish(_pool("a", "orgs/Acme"), _pool("b", "orgs/acme", "token"), _pool("c", "orgs/ACME", "token"))
    assert [target for target, _ in app.asked] == ["Acme", "orgs/acme"]


async def test_two_targets_that_would_share_a_secret_are_refused_before_anything_is_minted(publish, app):
    with pytest.raises(NamesCollide, match="GITHUB_REGISTRATION_TOKEN_ACME_WEB"):
        await publish(_pool("a", "repos/acme/web", "token"), _pool("b", "orgs/acme-web", "token"))
    assert app.asked == []


async def test_a_missing_app_key_is_a_failure_of_every_token(publish, app):
    async def missing(*_):
        raise CredentialMissing("GITHUB_APP_PRIVATE_KEY", "the environment", "put it there")

    app.installation_token = missing
    assert "GITHUB_APP_PRIVATE_KEY" in (await publish(_pool("a"))).failed[0].why


async def test_what_the_publisher_writes_the_dispatcher_uses(publish, world, clock):
    await publish(_pool("a", registration="token"))
    vault = Vault(world.secrets("dispatcher"), clock, period=30)
    await vault.refresh()
    tokens = PublishedTokens(vault, clock)
    assert (await tokens.token("acme")).get_secret_value() == "ghs_1"
    assert (await tokens.registration_token("orgs/acme")).get_secret_value() == "ghs_2"


async def test_a_reader_that_tries_to_publish_fails_and_changes_nothing(publish, world):
    result = await publish(_pool("a"), secrets=world.secrets("dispatcher"))
    assert "PermissionDenied" in result.failed[0].why
    assert "GITHUB_INSTALLATION_TOKEN_ACME" not in world.sim.state()["secrets"]["/"]
