"""Keys, and an issuer that has them."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from oidc_issuer import Issuer, public_jwk


@pytest.fixture(scope="session")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def other_rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def issuer(rsa_key, ec_key):
    return Issuer([public_jwk(rsa_key, "k1", alg="RS256"), public_jwk(ec_key, "e1", alg="ES256")])
