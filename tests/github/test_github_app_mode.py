"""Access mode ``app``: signing, finding the installation, keeping its token, and a second try after a 401."""

import asyncio

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from runners.github.app_auth import AppMinter, AppSigner
from runners.github.app_tokens import AppPublishing, AppTokens
from runners.github.token_probe import TokenProbe
from runners.github.tokens import RenewingTokenSource, SingleFlight
from runners.upstream.errors import ErrorClass, UpstreamError
from tests.github.wire import API_URL, API_VERSION, NOW, ManualClock

INSTALLATION = "GET /orgs/acme/installation"
MINT = "POST /app/installations/77/access_tokens"
LIST = "GET /orgs/acme/actions/runners"


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@pytest.fixture(scope="module")
def app_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Rig:
    """The classes of ``app`` mode, wired as production does."""

    def __init__(self, wire, clock, key, scopes=("orgs/acme",), **changes):
        self.key = SecretStr(key)
        self.clock = clock
        self.signer = AppSigner("1234", lambda: self.key, clock)
        self.minter = AppMinter(
            wire, self.signer, clock, scopes=scopes, api_url=API_URL, api_version=API_VERSION
        )
        self.tokens = AppTokens(self.minter, self.signer, clock, **changes)


@pytest.fixture
def rig(wire, clock, app_key):
    return Rig(wire, clock, pem(app_key))


async def test_who_signs_as_the_app_shows_neither_key_nor_signature(rig):
    signed = await rig.signer.app_jwt()
    shown = repr(vars(rig.signer))
    assert "PRIVATE KEY" not in shown
    assert signed.get_secret_value() not in shown


class Tokens:
    """GitHub's side: tokens t1, t2, … that live for an hour and can be revoked."""

    def __init__(self, wire, clock: ManualClock):
        self.minted = 0
        self.revoked: set[str] = set()
        self.clock = clock
        wire.on(INSTALLATION, lambda _: httpx.Response(200, json={"id": 77}))
        wire.on(MINT, self.mint)
        wire.on(LIST, self.list)

    async def mint(self, request):
        await asyncio.sleep(0)
        self.minted += 1
        expires = f"2027-01-15T{8 + (int(self.clock.time - NOW) + 3600) // 3600:02}:00:00Z"
        return httpx.Response(201, json={"token": f"t{self.minted}", "expires_at": expires})

    def list(self, request):
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token in self.revoked:
            return httpx.Response(401, json={"message": "Bad credentials"})
        return httpx.Response(200, json={"runners": []})


@pytest.fixture
def theirs(wire, clock):
    return Tokens(wire, clock)


async def test_the_signature_is_the_apps_backdated_and_short(rig, app_key):
    token = (await rig.signer.app_jwt()).get_secret_value()
    claims = jwt.decode(
        token, app_key.public_key(), ["RS256"], options={"verify_exp": False, "verify_iat": False}
    )
    assert claims == {"iss": "1234", "iat": NOW - 60, "exp": NOW + 540}


async def test_a_signature_is_reused_for_minutes_and_a_rotated_key_at_once(rig, clock):
    first = await rig.signer.app_jwt()
    clock.time += 200
    assert await rig.signer.app_jwt() == first
    clock.time += 100
    second = await rig.signer.app_jwt()
    assert second != first
    rig.key = SecretStr(pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)))
    assert await rig.signer.app_jwt() != second


async def test_a_key_in_one_line_signs(wire, clock, app_key):
    rig = Rig(wire, clock, pem(app_key).replace("\n", "\\n"))
    assert await rig.signer.app_jwt()


@pytest.mark.parametrize("key", ["", "not a key", "elliptic"])
async def test_a_key_that_is_none_is_said_without_showing_it(wire, clock, key):
    if key == "elliptic":
        key = pem(ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(UpstreamError) as caught:
        await Rig(wire, clock, key).tokens.token("acme")
    assert caught.value.error_class is ErrorClass.REFUSED
    assert "GITHUB_APP_PRIVATE_KEY" in caught.value.next_step
    assert not key or key not in f"{caught.value}{caught.value!r}"


async def test_what_the_key_source_raises_comes_out_as_it_is(wire, clock, make_github):
    class KeyMissing(Exception):
        pass

    def no_key():
        raise KeyMissing

    signer = AppSigner("1234", no_key, clock)
    minter = AppMinter(wire, signer, clock, scopes=(), api_url=API_URL, api_version=API_VERSION)
    github = make_github(wire, AppTokens(minter, signer, clock))
    with pytest.raises(KeyMissing):
        await github.list_runners("orgs/acme")


async def test_a_token_is_asked_for_with_just_what_an_organizations_pools_need(wire, rig, theirs):
    assert (await rig.tokens.token("acme")).get_secret_value() == "t1"
    assert wire.calls() == [INSTALLATION, MINT]
    assert wire.sent() == {
        "permissions": {
            "organization_self_hosted_runners": "write",
            "actions": "read",
            "metadata": "read",
        }
    }


async def test_a_repositorys_pools_get_a_token_for_that_repository(wire, clock, app_key):
    wire.on("GET /repos/acme/web/installation", httpx.Response(200, json={"id": 77}))
    Tokens(wire, clock)
    rig = Rig(wire, clock, pem(app_key), scopes=("repos/acme/web", "orgs/other"))
    await rig.tokens.token("acme")
    assert wire.sent() == {
        "permissions": {"administration": "write", "actions": "read", "metadata": "read"},
        "repositories": ["web"],
    }


async def test_a_token_is_kept_until_its_margin_and_not_longer(wire, rig, theirs, clock):
    assert (await rig.tokens.token("acme")).get_secret_value() == "t1"
    clock.time += 2999
    assert (await rig.tokens.token("Acme")).get_secret_value() == "t1"
    clock.time += 1
    assert (await rig.tokens.token("acme")).get_secret_value() == "t2"
    assert wire.calls().count(INSTALLATION) == 1


async def test_a_clock_ahead_of_githubs_still_keeps_a_token_for_half_its_life(wire, clock, app_key):
    theirs = Tokens(wire, clock)
    rig = Rig(wire, clock, pem(app_key), margin=5000.0)
    await rig.tokens.token("acme")
    clock.time += 1700
    await rig.tokens.token("acme")
    assert theirs.minted == 1


async def test_many_callers_share_one_mint(wire, rig, theirs):
    tokens = await asyncio.gather(*(rig.tokens.token("acme") for _ in range(50)))
    assert {token.get_secret_value() for token in tokens} == {"t1"}
    assert wire.calls() == [INSTALLATION, MINT]


async def test_many_callers_share_one_failure_and_the_next_one_tries_anew(wire, rig, theirs):
    wire.on(MINT, httpx.Response(500), theirs.mint)
    outcomes = await asyncio.gather(*(rig.tokens.token("acme") for _ in range(50)), return_exceptions=True)
    assert all(isinstance(outcome, UpstreamError) for outcome in outcomes)
    assert wire.calls().count(MINT) == 1
    assert (await rig.tokens.token("acme")).get_secret_value() == "t1"


async def test_an_app_installed_anew_is_found_again(wire, rig, theirs, clock):
    await rig.tokens.token("acme")
    wire.on(MINT, httpx.Response(404))
    wire.on(INSTALLATION, httpx.Response(200, json={"id": 78}))
    wire.on("POST /app/installations/78/access_tokens", theirs.mint)
    clock.time += 3500
    assert (await rig.tokens.token("acme")).get_secret_value() == "t2"


async def test_an_app_that_is_not_installed_is_not_found(wire, rig):
    wire.on(INSTALLATION, httpx.Response(404))
    with pytest.raises(UpstreamError) as caught:
        await rig.tokens.token("acme")
    assert caught.value.error_class is ErrorClass.NOT_FOUND


async def test_a_revoked_token_is_replaced_once_for_all_who_met_it(wire, rig, theirs, clock, make_github):
    github = make_github(wire, rig.tokens)
    await github.list_runners("orgs/acme")
    theirs.revoked.add("t1")
    clock.time += 60
    await asyncio.gather(*(github.list_runners("orgs/acme") for _ in range(10)))
    assert theirs.minted == 2


async def test_a_fresh_token_that_is_refused_is_not_minted_again(wire, rig, theirs, make_github):
    github = make_github(wire, rig.tokens)
    theirs.revoked |= {"t1", "t2"}
    with pytest.raises(UpstreamError) as caught:
        await github.list_runners("orgs/acme")
    assert (caught.value.status, caught.value.error_class) == (401, ErrorClass.REFUSED)
    assert theirs.minted == 1


async def test_a_second_401_ends_it(wire, rig, theirs, clock, make_github):
    github = make_github(wire, rig.tokens)
    await github.list_runners("orgs/acme")
    theirs.revoked |= {"t1", "t2", "t3"}
    clock.time += 60
    with pytest.raises(UpstreamError) as caught:
        await github.list_runners("orgs/acme")
    assert caught.value.status == 401
    assert theirs.minted == 2


async def test_a_published_token_that_is_refused_is_an_answer(wire, github):
    wire.on(LIST, httpx.Response(401))
    with pytest.raises(UpstreamError) as caught:
        await github.list_runners("orgs/acme")
    assert caught.value.status == 401
    assert len(wire.requests) == 1


async def test_a_mint_that_got_no_token_has_certainly_not_happened(wire, rig, make_github):
    wire.on(INSTALLATION, httpx.ReadTimeout("lost"))
    with pytest.raises(UpstreamError) as caught:
        await make_github(wire, rig.tokens).mint_registration_token("orgs/acme")
    assert caught.value.answered is True
    assert "find the App's installation" in caught.value.attempted


async def test_the_publisher_gets_narrowed_and_registration_tokens_with_their_ends(
    wire, rig, theirs, make_github
):
    probe = TokenProbe(wire, rig.clock, api_url=API_URL, api_version=API_VERSION)
    publishing = AppPublishing(rig.minter, make_github(wire, rig.tokens), probe)
    token, end = await publishing.installation_token("acme", {"actions": "read"})
    assert (token.get_secret_value(), end) == ("t1", NOW + 3600)
    assert wire.sent() == {"permissions": {"actions": "read"}}
    wire.on(
        "POST /orgs/acme/actions/runners/registration-token",
        httpx.Response(201, json={"token": "r1", "expires_at": "2027-01-15T09:00:00Z"}),
    )
    token, end = await publishing.registration_token("orgs/acme")
    assert (token.get_secret_value(), end) == ("r1", NOW + 3600)


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (httpx.Response(200, json={"resources": {}}), False),
        (httpx.Response(401, json={"message": "Bad credentials"}), True),
        (httpx.Response(404, json={"message": "Rate limiting is not enabled."}), False),
        (httpx.Response(503), False),
        (httpx.ConnectError("away"), False),
    ],
)
async def test_only_a_401_means_that_github_no_longer_takes_a_token(wire, clock, answer, refused):
    wire.on("GET /rate_limit", answer)
    probe = TokenProbe(wire, clock, api_url=API_URL, api_version=API_VERSION)
    assert await probe.refuses(SecretStr("ghs_asked-about")) is refused
    assert wire.requests[-1].headers["authorization"] == "Bearer ghs_asked-about"


async def test_an_app_source_renews_and_a_given_one_does_not(rig, tokens):
    assert isinstance(rig.tokens, RenewingTokenSource)
    assert not isinstance(tokens, RenewingTokenSource)
    assert not isinstance(rig.signer, RenewingTokenSource)


async def test_two_sources_in_one_process_share_nothing(wire, clock, app_key, theirs):
    one, two = Rig(wire, clock, pem(app_key)), Rig(wire, clock, pem(app_key))
    assert (await one.tokens.token("acme")).get_secret_value() == "t1"
    assert (await two.tokens.token("acme")).get_secret_value() == "t2"


async def test_a_caller_who_gives_up_does_not_end_the_flight_of_the_others():
    flight, gate = SingleFlight[int](), asyncio.Event()

    async def make():
        await gate.wait()
        return 5

    first = asyncio.create_task(flight.join("k", make))
    second = asyncio.create_task(flight.join("k", make))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    gate.set()
    assert await second == 5
    assert first.cancelled()
