"""The form that each credential should have, and what it is when it is another one's."""

import re
from collections.abc import Mapping

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from runners.secrets.names import INSTALLATION_PREFIX, REGISTRATION_PREFIX
from runners.secrets.published_token import NotAPublishedToken, read_published

SHORTEST_SECRET = 16
SHORTEST_FLEET_KEY = 32
# How credentials begin, so that one in another's place is called by its name.
_KINDS: Mapping[str, str] = {
    "FlyV1 ": "a Fly token",
    "fm1a_": "a Fly token",
    "fm1r_": "a Fly token",
    "fm2_": "a Fly token",
    "fo1_": "a Fly token",
    "ghp_": "a personal GitHub token",
    "github_pat_": "a personal GitHub token",
    "gho_": "a GitHub token",
    "ghu_": "a GitHub token",
    "ghr_": "a GitHub token",
    "ghs_": "a GitHub installation token",
    "fgr_": "an API token of this fleet",
    "fgs_": "a token of fly-gha-status",
    "st.": "an Infisical service token",
    "-----BEGIN": "a key in PEM",
    '{"': "JSON",
}
_OF_FLY = "a Fly token"
_SCHEME = re.compile(r"^Bearer\s+")


def wrong_with(name: str, value: SecretStr) -> str:
    """What is wrong with a credential's form; "" for nothing.

    Args:
        name: of ``runners.secrets.names``.
        value: looked at, and never in the answer.
    """
    text = _SCHEME.sub("", value.get_secret_value().strip())
    if name.startswith((INSTALLATION_PREFIX, REGISTRATION_PREFIX)):
        return _of_published(name, value)
    if name == "GITHUB_APP_PRIVATE_KEY":
        return _of_app_key(text)
    kind = kind_of(text)
    if name == "FLY_API_TOKEN":
        if kind == _OF_FLY:
            return ""
        return f"it holds {kind}" if kind else "it does not have the form of a Fly token"
    if kind:
        return f"it holds {kind}"
    least = SHORTEST_FLEET_KEY if name == "FLY_GHA_FLEET_KEY" else SHORTEST_SECRET
    if name.startswith("INFISICAL_"):
        return ""
    return f"it is shorter than {least} characters" if len(text) < least else ""


def kind_of(text: str) -> str:
    """What a credential is by the way it begins; "" when that does not tell."""
    return next((kind for prefix, kind in _KINDS.items() if text.startswith(prefix)), "")


def _of_published(name: str, value: SecretStr) -> str:
    try:
        published = read_published(value)
    except NotAPublishedToken as wrong:
        return str(wrong)
    kind = kind_of(published.token.get_secret_value())
    personal = kind.startswith("a personal")
    if personal or (kind and "GitHub" not in kind):
        return f"it holds {kind}"
    return "it holds an installation token" if kind and name.startswith(REGISTRATION_PREFIX) else ""


def _of_app_key(text: str) -> str:
    if not text.startswith("-----BEGIN"):
        kind = kind_of(text)
        return f"it holds {kind}" if kind else "it is no key in PEM"
    try:
        key = serialization.load_pem_private_key(text.replace("\\n", "\n").encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "it is no private key that opens: part of it may be missing"
    return "" if isinstance(key, rsa.RSAPrivateKey) else "it is no RSA key"
