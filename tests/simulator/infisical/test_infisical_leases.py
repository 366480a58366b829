"""Leases and OIDC logins of InfisicalSim, and the parts of the configuration that make them."""

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from simulator.infisical.oidc_auth import OidcAuth
from simulator.infisical.refusal import Refusal
from simulator.serve import serving
from simulator.sim_config import SimConfig
from tests.contracts import github_world
from tests.contracts.worlds import signing_key

ISSUER = "https://oidc.fly.io/acme"
NOW = 1_790_000_000.0
PEM = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def key_set(kid="k1"):
    entry = jwt.algorithms.RSAAlgorithm.to_jwk(signing_key().public_key(), as_dict=True)
    return {"keys": [{**entry, "kid": kid, "alg": "RS256", "use": "sig"}]}


def token(**changed):
    claims = {
        "iss": ISSUER,
        "sub": "acme:app:blue",
        "aud": "us",
        "exp": NOW + 600,
        "nbf": NOW,
        "o": {"p": "v"},
    }
    return jwt.encode({**claims, **changed}, signing_key(), "RS256", headers={"kid": "k1"})


JUDGED = [
    ({}, {}, None),
    ({"bound_subject": "acme:app:*"}, {}, None),
    ({"bound_subject": "other, acme:app:blue"}, {}, None),
    ({"bound_subject": "acme:*"}, {"sub": "acme:a/b"}, 403),
    ({"bound_subject": "acme:b:*"}, {}, 403),
    ({"bound_audiences": "them, us"}, {}, None),
    ({"bound_audiences": "us"}, {"aud": ["them", "us"]}, None),
    ({"bound_audiences": "them"}, {}, 401),
    ({"bound_claims": {"o.p": "v"}}, {}, None),
    ({"bound_claims": {"o.q": "v"}}, {}, 401),
    ({"bound_issuer": "https://oidc.fly.io/other"}, {}, 401),
    ({}, {"exp": NOW}, 401),
    ({}, {"nbf": NOW + 1}, 401),
]


@pytest.mark.parametrize(("bounds", "claims", "status"), JUDGED)
def test_an_oidc_login_is_judged_by_the_identitys_bounds(bounds, claims, status):
    oidc = OidcAuth(**{"discovery_url": ISSUER, "bound_issuer": ISSUER, **bounds})
    if status is None:
        oidc.judge(token(**claims), key_set(), NOW)
        return
    with pytest.raises(Refusal) as refused:
        oidc.judge(token(**claims), key_set(), NOW)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("text", "keys"), [("no.jwt", {}), (token(), key_set("k2")), (token()[:-9] + "AAAAAAAAA", {})]
)
def test_what_the_issuer_did_not_sign_is_refused(text, keys):
    with pytest.raises(Refusal) as refused:
        OidcAuth(ISSUER, ISSUER).judge(text, keys or key_set(), NOW)
    assert refused.value.status == 401


async def test_a_served_world_leases_tokens_that_its_own_github_accepts():
    key = github_world.private_key().get_secret_value()
    public = signing_key().public_key()
    config = SimConfig.model_validate(
        {
            "fly": {"api_token": "fm2_x"},
            "github": {
                "app_id": 4711,
                "app_public_key": public.public_bytes(*PEM).decode(),
                "webhook_url": "http://127.0.0.1:9/webhooks",
                "webhook_secret": "w",
            },
            "infisical": {
                "identities": [{"name": "d", "client_id": "d", "client_secret": "s", "role": "lessee"}],
                "dynamic_secrets": [{"name": "GitHub-acme", "private_key": key}],
            },
        }
    )
    async with serving(config) as urls, httpx.AsyncClient(base_url=urls.infisical, timeout=10) as http:
        login = await http.post(
            "/api/v1/auth/universal-auth/login", json={"clientId": "d", "clientSecret": "s"}
        )
        bearer = {"authorization": f"Bearer {login.json()['accessToken']}"}
        body = {"dynamicSecretName": "github-ACME", "projectSlug": "fly-gha", "environmentSlug": "prod"}
        leased = await http.post("/api/v1/dynamic-secrets/leases", json=body, headers=bearer)
        given = leased.json()["data"]
        assert given["PERMISSIONS"]["organization_self_hosted_runners"] == "write"
        seen = await http.get(
            f"{urls.github}/orgs/acme/actions/runners",
            headers={"authorization": f"Bearer {given['TOKEN']}"},
        )
        assert seen.status_code == 200
        state = (await http.get("/_sim/state")).json()
        assert state["dynamic_secrets"] == [
            {"name": "github-acme", "path": "/", "leases": 1, "live_leases": 1}
        ]
        assert given["TOKEN"] not in (await http.get("/_sim/journal")).text
