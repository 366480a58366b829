"""Fly's OIDC issuer: tells the outside which Machine a token comes from (as Fly documents it).

The signing algorithm and the address of the key set are not documented; clients must read both from the
discovery document. RS256 and `<issuer>/.well-known/jwks.json` are this simulator's choice.
"""

import base64
import hashlib
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from simulator.draws import Draws
from simulator.fly.machine import SimMachine

ALGORITHM = "RS256"
LIFETIME_S = 600
KEY_BITS = 2048


class OidcIssuer:
    """Mints and describes the tokens of one organization.

    Args:
        public_url: base URL of the simulated API, without a trailing slash.
        org_slug: the organization.
        draws: token ids.
        key: signs the tokens; made anew when not given.
    """

    def __init__(
        self, public_url: str, org_slug: str, draws: Draws, key: rsa.RSAPrivateKey | None = None
    ) -> None:
        self.issuer = f"{public_url}/oidc/{org_slug}"
        self._org_slug = org_slug
        self._draws = draws
        self._key = key or rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        public = self._key.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        self._key_id = hashlib.sha256(public).hexdigest()[:16]
        self._minted = 0

    def mint(self, machine: SimMachine, audience: str | None, now: float) -> str:
        """A token that proves to `audience` that its holder runs in this Machine; valid for ten minutes."""
        self._minted += 1
        issued = int(now)
        claims = {
            "app_id": numeric_id(machine.app),
            "app_name": machine.app,
            "aud": audience or f"https://fly.io/{self._org_slug}",
            "exp": issued + LIFETIME_S,
            "iat": issued,
            "image": image_name(machine.image),
            "image_digest": image_digest(machine.image),
            "iss": self.issuer,
            "jti": f"{self._draws.of('jti', self._minted).getrandbits(128):032x}",
            "machine_id": machine.id,
            "machine_name": machine.name,
            "machine_version": machine.instance_id,
            "nbf": issued,
            "org_id": numeric_id(self._org_slug),
            "org_name": self._org_slug,
            "region": machine.region,
            "sub": f"{self._org_slug}:{machine.app}:{machine.name}",
        }
        return jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self._key_id})

    def discovery(self) -> dict[str, Any]:
        """The answer of `<issuer>/.well-known/openid-configuration`."""
        return {
            "issuer": self.issuer,
            "jwks_uri": f"{self.issuer}/.well-known/jwks.json",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [ALGORITHM],
        }

    def key_set(self) -> dict[str, Any]:
        """The public half of the signing key, as a JSON Web Key Set."""
        numbers = self._key.public_key().public_numbers()
        return {
            "keys": [
                {
                    "kty": "RSA",
                    "use": "sig",
                    "alg": ALGORITHM,
                    "kid": self._key_id,
                    "n": _base64url(numbers.n),
                    "e": _base64url(numbers.e),
                }
            ]
        }


def numeric_id(name: str) -> str:
    """The numeric id, as text, that stands for a name everywhere in this world."""
    return str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]))


def image_name(image: str) -> str:
    """The reference without its digest."""
    return image.partition("@")[0]


def image_digest(image: str) -> str:
    """The digest a reference pins, or the one this world's registry has for it."""
    _, _, pinned = image.partition("@")
    return pinned or f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _base64url(number: int) -> str:
    raw = number.to_bytes((number.bit_length() + 7) // 8)
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
