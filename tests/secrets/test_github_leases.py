"""Mode ``lease``: one lease per owner and hour, whatever Infisical or GitHub do meanwhile."""

import asyncio

import httpx
import pytest

from runners.github.client import GitHub
from runners.github.leased_tokens import LeasedTokens
from runners.model.settings import InfisicalSettings
from runners.secrets.github_leases import GitHubLeases, PlanRestricted
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.universal_auth import UniversalAuth
from runners.upstream.errors import ErrorClass, UpstreamError
from simulator.infisical.face import build_app
from simulator.infisical.identities import LESSEE, Identity
from simulator.infisical.leases import GitHubDynamicSecret
from simulator.infisical.model import InfisicalSim
from tests.contracts import github_world

OTHER_KEY = "-----BEGIN PRIVATE KEY-----\nbroken\n-----END PRIVATE KEY-----\n"


class LeaseWorld:
    """GitHub, an Infisical that holds the App's key, and the client that leases."""

    def __init__(self, wire_of, opener_of, **sim) -> None:
        self.github = github_world.make_world()
        self.clock = self.github.clock
        key = github_world.private_key().get_secret_value()
        secret = {"name": "github-acme", "app_id": github_world.APP_ID, "private_key": key}
        secret |= sim.pop("secret", {})
        self.sim = InfisicalSim(
            self.clock,
            7,
            project_id="proj-1",
            project_slug="proj-slug",
            identities=(
                Identity("dispatcher", "id-1", "s3cret-1", rights=LESSEE),
                Identity("reader", "id-2", "s3cret-2"),
            ),
            dynamic_secrets=(GitHubDynamicSecret(**secret),),
            **sim,
        )
        face = build_app(
            self.sim, github_url=github_world.URL, transport=httpx.ASGITransport(self.github.app)
        )
        self.wire = wire_of(httpx.ASGITransport(face))
        self.opener_of = opener_of

    def leases(self, number: int = 1, **changed: str) -> GitHubLeases:
        settings = InfisicalSettings(
            **{"api_url": "http://i.test", "project_id": "proj-1", "project_slug": "proj-slug", **changed}
        )
        opener = self.opener_of(
            {"INFISICAL_CLIENT_ID": f"id-{number}", "INFISICAL_CLIENT_SECRET": f"s3cret-{number}"}
        )
        return GitHubLeases(InfisicalCalls(settings, UniversalAuth(opener), self.clock, self.wire))

    def tokens(self, **changed: str) -> LeasedTokens:
        return LeasedTokens(self.leases(**changed).installation_token, self.clock, margin=600.0)

    def client(self, tokens: LeasedTokens) -> GitHub:
        return GitHub(
            httpx.ASGITransport(self.github.app),
            tokens,
            self.clock,
            api_url=github_world.URL,
            api_version=github_world.VERSION,
        )

    @property
    def made(self) -> int:
        return len(self.sim.journal.of("lease_created"))


@pytest.fixture
def lease_world(world):
    return lambda **sim: LeaseWorld(type(world.wire), type(world.opener()), **sim)


async def test_a_leased_token_opens_github_and_one_lease_serves_all_who_ask(lease_world):
    there = lease_world()
    tokens = there.tokens()
    github = there.client(tokens)
    await asyncio.gather(*(github.list_runners("orgs/acme") for _ in range(5)))
    await github.mint_jit("orgs/acme", "one", "Default", ("fly-gha-medium",))
    assert there.made == 1
    assert await tokens.app_jwt() is None


async def test_a_lease_is_replaced_at_fifty_minutes_and_not_before(lease_world):
    there = lease_world()
    tokens = there.tokens()
    first = await tokens.token("acme")
    there.clock.time += 2990
    assert await tokens.token("ACME") == first
    there.clock.time += 20
    assert await tokens.token("acme") != first
    assert there.made == 2


async def test_a_lease_that_ends_before_its_token_is_taken_at_its_word(lease_world):
    there = lease_world(secret={"default_ttl": "30m"})
    _, ends_at = await there.leases().installation_token("acme")
    assert ends_at - there.clock.time == pytest.approx(1800, abs=5)


async def test_while_infisical_is_down_the_token_that_lives_is_used_and_the_trouble_asked_about_calmly(
    lease_world,
):
    there = lease_world()
    tokens = there.tokens()
    first = await tokens.token("acme")
    there.clock.time += 3100
    there.wire.cut = httpx.ConnectError
    sent = len(there.wire.sent)
    for _ in range(10):
        assert await tokens.token("acme") == first
    assert len(there.wire.sent) == sent + 1
    assert tokens.missing(["acme"]) == {}
    there.clock.time += 600
    with pytest.raises(UpstreamError):
        await tokens.token("acme")
    assert "acme" in tokens.missing(["acme"])
    there.wire.cut = None
    assert await tokens.token("acme") != first
    assert tokens.missing(["acme"]) == {}


async def test_a_token_that_github_refuses_before_its_time_is_replaced_by_one_more_lease(lease_world):
    there = lease_world()
    github = there.client(there.tokens())
    await github.list_runners("orgs/acme")
    there.clock.time += 60
    there.github.sim.tokens._installation.clear()  # revoked at GitHub
    await github.list_runners("orgs/acme")
    assert there.made == 2


async def test_a_token_refused_as_soon_as_it_was_leased_is_not_replaced_in_a_loop(lease_world):
    there = lease_world()
    github = there.client(there.tokens())
    await github.list_runners("orgs/acme")
    there.github.sim.tokens._installation.clear()
    with pytest.raises(UpstreamError) as refused:
        await github.list_runners("orgs/acme")
    assert (refused.value.status, there.made) == (401, 1)


async def test_a_plan_without_dynamic_secrets_is_told_with_what_to_use_instead(lease_world):
    there = lease_world(plan_has_dynamic_secrets=False)
    tokens = there.tokens()
    await tokens.prepare(["acme"])
    told = tokens.missing(["acme"])["acme"]
    assert "plan does not include dynamic secrets" in told
    assert 'github.credentials = "published"' in told
    with pytest.raises(PlanRestricted):
        await tokens.token("acme")


@pytest.mark.parametrize(
    ("sim", "why", "next_step"),
    [
        ({"max_leases": 0}, "live leases", "default TTL to 1h"),
        ({"secret": {"default_ttl": "2h", "max_ttl": "1h"}}, "TTL", "maximum TTL"),
        ({"secret": {"installation_id": 99}}, "token from GitHub", "installation id"),
        ({"secret": {"app_id": 99}}, "token from GitHub", "App id"),
    ],
)
async def test_each_refusal_of_a_lease_says_what_to_set_where(lease_world, sim, why, next_step):
    with pytest.raises(UpstreamError) as refused:
        await lease_world(**sim).leases().installation_token("acme")
    assert (refused.value.status, refused.value.error_class) == (400, ErrorClass.REFUSED)
    assert why in refused.value.why
    assert next_step in refused.value.next_step


@pytest.mark.parametrize(
    ("changed", "owner", "key"),
    [
        ({"project_slug": "none"}, "acme", "infisical.project_slug"),
        ({"environment": "dev"}, "acme", "infisical.environment"),
        ({"path": "/none"}, "acme", "infisical.path"),
        ({}, "somebody-else", "infisical.dynamic_secret"),
        ({"dynamic_secret": "gh-{owner}"}, "acme", "infisical.dynamic_secret"),
    ],
)
async def test_what_is_not_there_is_named_by_its_setting(lease_world, changed, owner, key):
    with pytest.raises(UpstreamError) as missing:
        await lease_world().leases(**changed).installation_token(owner)
    assert (missing.value.status, missing.value.key) == (404, key)
    assert missing.value.next_step.startswith(f"correct {key}")


async def test_an_identity_without_the_right_to_lease_is_told_that_it_is_a_right_of_its_own(lease_world):
    with pytest.raises(UpstreamError) as refused:
        await lease_world().leases(2).installation_token("acme")
    assert (refused.value.status, refused.value.error_class) == (403, ErrorClass.REFUSED)
    assert "leasing is a right of its own" in refused.value.next_step


async def test_a_lease_whose_answer_was_lost_says_that_it_may_have_been_made(lease_world):
    there = lease_world()
    there.sim.faults.add("lost_lease_answer")
    with pytest.raises(UpstreamError) as lost:
        await there.leases().installation_token("acme")
    assert (lost.value.answered, there.made) == (False, 1)


async def test_a_burst_in_lease_mode_mints_one_registration_token(lease_world):
    there = lease_world()
    github = there.client(there.tokens())
    burst = await asyncio.gather(*(github.registration_token("orgs/acme") for _ in range(30)))
    there.clock.time += 2900
    burst.append(await github.registration_token("orgs/acme"))
    assert len(set(burst)) == 1
    assert len(there.github.sim.tokens._registration) == 1
    there.clock.time += 200
    assert await github.registration_token("orgs/acme") not in burst
    assert there.made == 2
