"""SigningKeys: the public keys of an OIDC issuer, found by discovery and kept by key id.

Neither the JWKS address nor the algorithm is published by Fly in its documentation, so both are
read from the issuer itself. Keys are fetched when first needed, when a token names one that is not known, and
when they are old; never more often than REFETCH_S, so that forged key ids cannot make us hammer the issuer.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from fly.errors import FlyBadAnswer, FlyError, FlyUnanswered
from fly.refusals import classify, read_refusal

ALGORITHMS: Mapping[str, str] = {"RS256": "RSA", "ES256": "EC"}
"""The accepted signatures and the type of key each needs."""

REFETCH_S = 60.0
"""An unknown key id causes at most one fetch in this time."""

RETRY_S = 5.0
"""After a failed fetch the next attempt waits so long: shorter, since meanwhile no claim can be checked."""

MAX_AGE_S = 3600.0
"""Keys older than this are fetched again, so that a withdrawn key stops being trusted."""

_RSA_BITS_MIN = 2048
_P256 = "secp256r1"
_GOOD = 200


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One public key and the only algorithm it is used with."""

    kid: str
    algorithm: str
    key: RSAPublicKey | EllipticCurvePublicKey


class SigningKeys:
    """The issuer's keys by key id. Times are Unix seconds and passed in.

    Args:
        http: fetches; should be built over an UpstreamTransport. Not closed here.
        issuer: the ``iss`` of its tokens; discovery is below it.
    """

    def __init__(self, http: httpx.AsyncClient, issuer: str) -> None:
        self._http = http
        self._issuer = issuer.rstrip("/")
        self._keys: Mapping[str, SigningKey] = {}
        self._tried_at: float | None = None
        self._fetched_at: float | None = None
        self._failure: FlyError | None = None
        self._lock = asyncio.Lock()

    async def find(self, kid: str, now: float) -> SigningKey | None:
        """Return the key of that id, or None when the issuer has no such key as far as we may ask.

        Raises:
            FlyError: the key is not known, and the issuer cannot be read now, so nothing can be said.
        """
        if self._due(kid, now):
            async with self._lock:
                if self._due(kid, now):
                    await self._refresh(now)
        key = self._keys.get(kid)
        if key is None and self._failure is not None:
            raise self._failure.with_traceback(None)
        return key

    def _due(self, kid: str, now: float) -> bool:
        pause = REFETCH_S if self._failure is None else RETRY_S
        if self._tried_at is not None and 0 <= now - self._tried_at < pause:
            return False
        if self._fetched_at is None or kid not in self._keys:
            return True
        return now - self._fetched_at >= MAX_AGE_S

    async def _refresh(self, now: float) -> None:
        # A fetch that is cancelled counts as not tried: nothing was learned from it.
        try:
            self._keys = await self._fetch()
        except FlyError as error:
            # Known keys stay good: an issuer that is down for a while has not withdrawn them.
            self._failure = error
        else:
            self._fetched_at = now
            self._failure = None
        self._tried_at = now

    async def _fetch(self) -> Mapping[str, SigningKey]:
        attempted = f"read the signing keys of {self._issuer}"
        discovery = await self._json(f"{self._issuer}/.well-known/openid-configuration", attempted)
        if discovery.get("issuer") != self._issuer:
            raise FlyBadAnswer(attempted, text="the discovery document names another issuer")
        address = discovery.get("jwks_uri")
        if not isinstance(address, str) or urlsplit(address).scheme != urlsplit(self._issuer).scheme:
            raise FlyBadAnswer(attempted, text="the discovery document names no usable jwks_uri")
        listed = (await self._json(address, attempted)).get("keys")
        found = [read_key(entry) for entry in listed] if isinstance(listed, list) else []
        keys: dict[str, SigningKey] = {}
        for key in found:
            if key is not None:
                keys.setdefault(key.kid, key)
        if not keys:
            raise FlyBadAnswer(attempted, text="the JWKS holds no key that can be used")
        return keys

    async def _json(self, url: str, attempted: str) -> Mapping[str, Any]:
        try:
            response = await self._http.get(url, headers={"accept": "application/json"})
        except (httpx.RequestError, httpx.InvalidURL) as error:
            raise FlyUnanswered(attempted) from error
        if response.status_code != _GOOD:
            code, text = read_refusal(response.content, response.headers.get("content-type", ""))
            raise classify(response.status_code, code, text)(
                attempted, status=response.status_code, code=code, text=text
            )
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise FlyBadAnswer(attempted, status=_GOOD, text="not a JSON object")
        return answer


def read_key(entry: object) -> SigningKey | None:
    """Return a JWKS entry as a key, or None for one that must not verify anything here.

    An entry must have an id, be for signatures, and be RSA of 2048 bits or more, or P-256.
    """
    if not isinstance(entry, dict):
        return None
    kid, kty, use = entry.get("kid"), entry.get("kty"), entry.get("use", "sig")
    algorithm = next((name for name, needs in ALGORITHMS.items() if needs == kty), None)
    if not isinstance(kid, str) or not kid or algorithm is None or use != "sig":
        return None
    if entry.get("alg", algorithm) != algorithm:
        return None
    try:
        key = PyJWK.from_dict(entry, algorithm=algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    strong = (isinstance(key, RSAPublicKey) and key.key_size >= _RSA_BITS_MIN) or (
        isinstance(key, EllipticCurvePublicKey) and key.curve.name == _P256
    )
    return SigningKey(kid, algorithm, key) if strong else None
