"""Every way a Machine's token can fail to prove who calls."""

import asyncio

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oidc_issuer import AUDIENCE, ISSUER, NOW, claims, public_jwk, raw_token, sign

from fly.errors import FlyBadAnswer, FlyServerError, FlyUnanswered
from fly.keys import SigningKeys, read_key
from fly.oidc import MachineTokens, TokenRefused


@pytest.fixture
def tokens(issuer):
    return MachineTokens(SigningKeys(issuer.client(), ISSUER), issuer=ISSUER, audience=AUDIENCE, leeway=10)


async def kind_of(tokens, token, now=NOW):
    with pytest.raises(TokenRefused) as caught:
        await tokens.verify(token, now)
    assert token not in str(caught.value)
    return caught.value.kind


async def test_a_good_token_names_the_machine(tokens, rsa_key):
    found = await tokens.verify(sign(rsa_key, claims()), NOW)
    assert (found.app_name, found.machine_name, found.machine_id) == (
        "runners-a",
        "fleet-1",
        "148ed193f01189",
    )
    assert found.image_digest == "sha256:" + "a" * 64
    assert (found.region, found.jti) == ("iad", "01J")
    assert (found.issued_at, found.expires_at) == (NOW, NOW + 600)


async def test_an_elliptic_key_is_accepted_too(tokens, ec_key):
    assert (await tokens.verify(sign(ec_key, claims(), "e1", "ES256"), NOW)).jti == "01J"


async def test_an_audience_list_of_ours_alone_is_accepted(tokens, rsa_key):
    assert await tokens.verify(sign(rsa_key, claims(aud=[AUDIENCE])), NOW)


async def test_a_token_signed_by_somebody_else_is_forged(tokens, other_rsa_key):
    assert await kind_of(tokens, sign(other_rsa_key, claims())) == "forged"
    assert await kind_of(tokens, sign(other_rsa_key, claims(), kid="k9")) == "forged"


async def test_a_changed_payload_is_forged(tokens, rsa_key):
    head, _body, tail = sign(rsa_key, claims()).split(".")
    _head, other, _tail = sign(rsa_key, claims(app_name="other")).split(".")
    assert await kind_of(tokens, f"{head}.{other}.{tail}") == "forged"


@pytest.mark.parametrize("alg", ["none", "HS256", "RS512", "PS256", "EdDSA"])
async def test_any_other_algorithm_is_forged(tokens, alg):
    assert await kind_of(tokens, raw_token(f'{{"alg":"{alg}","kid":"k1"}}'.encode())) == "forged"


async def test_a_public_key_used_as_a_shared_secret_is_forged(tokens, rsa_key):
    header = b'{"alg":"ES256","kid":"k1"}'
    assert await kind_of(tokens, raw_token(header)) == "forged"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://oidc.fly.io/evil"},
        {"aud": "https://other"},
        {"aud": [AUDIENCE, "https://other"]},
        {"aud": []},
    ],
)
async def test_another_issuer_or_audience_is_forged(tokens, rsa_key, changes):
    assert await kind_of(tokens, sign(rsa_key, claims(**changes))) == "forged"


@pytest.mark.parametrize(
    "name", ["iss", "aud", "sub", "iat", "exp", "jti", "app_name", "machine_id", "machine_name", "region"]
)
async def test_a_missing_claim_is_malformed(tokens, rsa_key, name):
    assert await kind_of(tokens, sign(rsa_key, claims(**{name: None}))) == "malformed"


@pytest.mark.parametrize("name", ["iat", "exp", "nbf"])
@pytest.mark.parametrize("value", ["1760000000", True, [1], -1, float("nan"), float("inf"), 10**400])
async def test_a_time_that_is_no_number_is_malformed(tokens, rsa_key, name, value):
    assert await kind_of(tokens, sign(rsa_key, claims(**{name: value}))) == "malformed"


@pytest.mark.parametrize("name", ["iss", "sub", "jti", "app_name", "machine_id", "image_digest"])
@pytest.mark.parametrize("value", [7, ["x"], {"a": 1}])
async def test_a_name_that_is_no_text_is_malformed(tokens, rsa_key, name, value):
    assert await kind_of(tokens, sign(rsa_key, claims(**{name: value}))) == "malformed"


async def test_a_subject_that_contradicts_the_other_claims_is_malformed(tokens, rsa_key):
    assert await kind_of(tokens, sign(rsa_key, claims(sub="acme:runners-b:fleet-1"))) == "malformed"


async def test_a_token_without_an_image_digest_names_none(tokens, rsa_key):
    assert (await tokens.verify(sign(rsa_key, claims(image_digest=None)), NOW)).image_digest == ""


async def test_expiry_is_exact_with_its_leeway(tokens, rsa_key):
    token = sign(rsa_key, claims())
    assert await tokens.verify(token, NOW + 609.9)
    assert await kind_of(tokens, token, NOW + 610) == "expired"


@pytest.mark.parametrize("name", ["iat", "nbf"])
async def test_a_token_from_the_future_is_early_beyond_the_leeway(tokens, rsa_key, name):
    assert await tokens.verify(sign(rsa_key, claims(**{name: NOW + 10})), NOW)
    assert await kind_of(tokens, sign(rsa_key, claims(**{name: NOW + 10.5})), NOW) == "early"


async def test_a_token_that_expires_before_it_was_issued_is_malformed(tokens, rsa_key):
    assert await kind_of(tokens, sign(rsa_key, claims(exp=int(NOW)))) == "malformed"


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "a.b",
        "a.b.c",
        "..",
        "é.b.c",
        "\udc80",
        "x" * 20_000,
        raw_token(b"[]"),
        raw_token(b"null"),
        raw_token(b"{"),
        raw_token(b"[" * 9_000),
        raw_token(b'{"alg":"RS256"}'),
        raw_token(b'{"alg":"RS256","kid":7}'),
        raw_token(b'{"alg":"RS256","kid":""}'),
        raw_token(b'{"alg":"RS256","kid":"k1","crit":["exp"],"exp":1}'),
    ],
)
async def test_what_is_no_token_at_all_is_malformed(tokens, token):
    with pytest.raises(TokenRefused) as caught:
        await tokens.verify(token, NOW)
    assert caught.value.kind == "malformed"


@pytest.mark.parametrize("payload", [b"", b"[]", b"7", b"null", b"{", b"\xff", b"[" * 9_000, b'{"exp":NaN}'])
async def test_a_signed_payload_that_is_no_object_is_malformed(tokens, rsa_key, payload):
    assert await kind_of(tokens, sign(rsa_key, payload)) == "malformed"


async def test_an_unknown_key_id_refetches_the_keys_at_most_once_a_minute(
    tokens, issuer, rsa_key, other_rsa_key
):
    await tokens.verify(sign(rsa_key, claims()), NOW)
    assert issuer.fetches == 1
    rotated = sign(other_rsa_key, claims(), kid="k2")
    issuer.keys = [public_jwk(other_rsa_key, "k2")]
    for second in (1, 30, 59.9):
        assert await kind_of(tokens, rotated, NOW + second) == "forged"
    assert issuer.fetches == 1
    assert await tokens.verify(rotated, NOW + 60)
    assert issuer.fetches == 2
    for second in (61, 90, 119.9):
        assert await kind_of(tokens, sign(rsa_key, claims(), kid="k7"), NOW + second) == "forged"
    assert issuer.fetches == 2


async def test_a_clock_set_back_does_not_stop_the_refetch(tokens, issuer, rsa_key, other_rsa_key):
    await tokens.verify(sign(rsa_key, claims()), NOW)
    issuer.keys = [public_jwk(other_rsa_key, "k2")]
    assert await tokens.verify(sign(other_rsa_key, claims(), kid="k2"), NOW - 5)


async def test_many_claims_at_once_fetch_the_keys_once(tokens, issuer, rsa_key):
    token = sign(rsa_key, claims())
    await asyncio.gather(*(tokens.verify(token, NOW) for _ in range(20)))
    assert issuer.fetches == 1


async def test_known_keys_are_not_fetched_again_before_they_are_old(tokens, issuer, rsa_key):
    token = sign(rsa_key, claims(exp=int(NOW) + 9000))
    await tokens.verify(token, NOW)
    await tokens.verify(token, NOW + 3599)
    assert issuer.fetches == 1
    issuer.keys = issuer.keys[1:]
    assert await kind_of(tokens, token, NOW + 3600) == "forged"


async def test_known_keys_stay_good_while_the_issuer_is_down(tokens, issuer, rsa_key):
    token = sign(rsa_key, claims(exp=int(NOW) + 9000))
    await tokens.verify(token, NOW)
    issuer.down = True
    assert await tokens.verify(token, NOW + 3601)
    with pytest.raises(FlyUnanswered):
        await tokens.verify(sign(rsa_key, claims(), kid="k2"), NOW + 3602)


async def test_nothing_is_said_about_a_token_while_no_key_was_ever_read(tokens, issuer, rsa_key):
    issuer.status = 503
    token = sign(rsa_key, claims())
    for second in (0, 1, 4.9):
        with pytest.raises(FlyServerError):
            await tokens.verify(token, NOW + second)
    assert issuer.fetches == 1
    issuer.status = 200
    assert await tokens.verify(token, NOW + 5)


async def test_a_cancelled_first_fetch_leaves_the_next_claim_unharmed(issuer, rsa_key):
    started = asyncio.Event()
    keys = SigningKeys(issuer.client(), ISSUER)
    fetch = keys._fetch

    async def stuck():
        started.set()
        await asyncio.Event().wait()

    keys._fetch = stuck
    task = asyncio.create_task(keys.find("k1", NOW))
    await started.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    keys._fetch = fetch
    assert await keys.find("k1", NOW) is not None


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://oidc.fly.io/evil", "jwks_uri": ISSUER + "/jwks"},
        {"issuer": ISSUER},
        {"issuer": ISSUER, "jwks_uri": 7},
        {"issuer": ISSUER, "jwks_uri": "http://oidc.fly.io/jwks"},
        ["x"],
    ],
)
async def test_a_discovery_document_that_cannot_be_trusted_is_a_bad_answer(issuer, discovery):
    issuer.discovery = discovery
    with pytest.raises(FlyBadAnswer):
        await SigningKeys(issuer.client(), ISSUER).find("k1", NOW)


@pytest.mark.parametrize("keys", [[], None, "x", [7, {}, {"kid": "k1", "kty": "oct", "k": "c2VjcmV0"}]])
async def test_a_jwks_without_a_usable_key_is_a_bad_answer(issuer, keys):
    issuer.keys = keys
    with pytest.raises(FlyBadAnswer, match="no key that can be used"):
        await SigningKeys(issuer.client(), ISSUER).find("k1", NOW)


def test_weak_foreign_and_misused_keys_verify_nothing(rsa_key, ec_key):
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - that is the point
    for entry in (
        public_jwk(weak, "w"),
        public_jwk(ec.generate_private_key(ec.SECP384R1()), "e"),
        public_jwk(rsa_key, "k", use="enc"),
        public_jwk(rsa_key, "k", alg="RS512"),
        public_jwk(rsa_key, ""),
        {**public_jwk(ec_key, "e"), "x": "AA"},
        {"kid": "x", "kty": "RSA"},
        "text",
    ):
        assert read_key(entry) is None
    assert read_key(public_jwk(rsa_key, "k")).algorithm == "RS256"
