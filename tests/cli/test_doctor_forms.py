"""The doctor knows a credential by its form, says what is in its place instead, and never a value."""

import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pydantic import SecretStr

from runners.cli.doctor.forms import wrong_with

OWNER = "GITHUB_INSTALLATION_TOKEN_ACME"
SCOPE = "GITHUB_REGISTRATION_TOKEN_ACME"


def pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


RSA = pem(rsa.generate_private_key(public_exponent=65537, key_size=2048))
EC = pem(ec.generate_private_key(ec.SECP256R1()))


def published(token):
    return json.dumps({"token": token, "expires_at": 1_795_000_000})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLY_API_TOKEN", "FlyV1 fm2_lJPECAAAAAAAA,fm2_abc"),
        ("FLY_API_TOKEN", "fm2_lJPECAAAAAAAA"),
        ("FLY_API_TOKEN", "Bearer fo1_abcdefgh"),
        ("GITHUB_WEBHOOK_SECRET", "0123456789abcdef"),
        ("FLY_GHA_FLEET_KEY", "k" * 32),
        ("GITHUB_APP_PRIVATE_KEY", RSA),
        ("GITHUB_APP_PRIVATE_KEY", RSA.replace("\n", "\\n")),
        (OWNER, published("ghs_abc")),
        (OWNER, published("a-stateless-form-that-nobody-knows-yet")),
        (SCOPE, published("AABF3JGZDX3P5PMEXLND6TS6FCWO6")),
    ],
)
def test_a_credential_of_the_right_form_is_right(name, value):
    assert wrong_with(name, SecretStr(value)) == ""


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FLY_API_TOKEN", "ghp_0123456789", "a personal GitHub token"),
        ("FLY_API_TOKEN", "just words", "not have the form"),
        ("FLY_API_TOKEN", RSA, "a key in PEM"),
        ("GITHUB_WEBHOOK_SECRET", "tiny!", "shorter than 16"),
        ("GITHUB_WEBHOOK_SECRET", "fm2_0123456789abcdef", "a Fly token"),
        ("FLY_GHA_FLEET_KEY", "k" * 31, "shorter than 32"),
        ("FLY_GHA_FLEET_KEY", "fgr_abcdefgh_" + "x" * 43, "an API token of this fleet"),
        ("GITHUB_APP_PRIVATE_KEY", "ghs_0123", "a GitHub installation token"),
        ("GITHUB_APP_PRIVATE_KEY", "path/to/key.pem", "no key in PEM"),
        ("GITHUB_APP_PRIVATE_KEY", RSA[:200], "no private key that opens"),
        ("GITHUB_APP_PRIVATE_KEY", EC, "no RSA key"),
        (OWNER, "ghs_abc", "not JSON"),
        (OWNER, published("ghp_abc"), "a personal GitHub token"),
        (OWNER, published("fm2_abc"), "a Fly token"),
        (SCOPE, published("ghs_abc"), "an installation token"),
    ],
)
def test_what_is_in_its_place_instead_is_named_and_never_quoted(name, value, said):
    wrong = wrong_with(name, SecretStr(value))
    assert said in wrong
    assert value[-6:] not in wrong
