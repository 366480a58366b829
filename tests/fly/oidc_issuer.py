"""An OIDC issuer in memory: it signs as Fly does, serves its keys, and counts how often it was asked."""

import base64
import json

import httpx
import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

ISSUER = "https://oidc.fly.io/acme"
AUDIENCE = "https://gha.acme.example"
NOW = 1_760_000_000.0


def public_jwk(private, kid, **more):
    algorithm = (
        jwt.algorithms.RSAAlgorithm if isinstance(private, rsa.RSAPrivateKey) else jwt.algorithms.ECAlgorithm
    )
    entry = algorithm.to_jwk(private.public_key(), as_dict=True)
    return {**entry, "kid": kid, "use": "sig", **more}


def claims(**changes):
    """The claims that Fly documents; None removes one."""
    full = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "acme:runners-a:fleet-1",
        "iat": int(NOW),
        "nbf": int(NOW),
        "exp": int(NOW) + 600,
        "jti": "01J",
        "app_id": "1",
        "app_name": "runners-a",
        "org_id": "2",
        "org_name": "acme",
        "machine_id": "148ed193f01189",
        "machine_name": "fleet-1",
        "machine_version": "01K",
        "region": "iad",
        "image": "registry.fly.io/runner:1",
        "image_digest": "sha256:" + "a" * 64,
    }
    full.update(changes)
    return {name: value for name, value in full.items() if value is not None}


def sign(private, payload, kid="k1", alg="RS256", **headers):
    """A compact JWS over any payload, valid JSON or not."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    named = {"kid": kid, **headers} if kid is not None else headers
    return jwt.PyJWS().encode(body, private, algorithm=alg, headers=named)


def raw_token(header, payload=b"{}", signature=b"x"):
    def part(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    return ".".join((part(header), part(payload), part(signature)))


class Issuer:
    def __init__(self, keys):
        self.keys = keys
        self.discovery = {"issuer": ISSUER, "jwks_uri": ISSUER + "/.well-known/jwks"}
        self.status = 200
        self.down = False
        self.fetches = 0

    def handle(self, request):
        if self.down:
            raise httpx.ConnectError("down", request=request)
        if request.url.path.endswith("openid-configuration"):
            self.fetches += 1
            return httpx.Response(self.status, json=self.discovery)
        assert str(request.url) == self.discovery["jwks_uri"]
        return httpx.Response(200, json={"keys": self.keys})

    def client(self):
        return httpx.AsyncClient(transport=httpx.MockTransport(self.handle))
