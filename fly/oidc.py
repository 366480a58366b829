"""Who is calling: verification of the OIDC token a Machine got from Fly's ``/.fly/api`` socket.

The token is checked against the time it is given, never the wall clock, and strictly: one audience, a short
list of algorithms each tied to its type of key, every time a number. What is signed by Fly but not shaped as
documented by Fly is malformed, not tolerated.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from jwt.api_jws import PyJWS
from jwt.exceptions import InvalidSignatureError, PyJWTError

from fly.keys import ALGORITHMS, SigningKey, SigningKeys

TOKEN_MAX = 16_384
"""Characters; Fly's tokens are a tenth of this."""

TokenFault = Literal["forged", "expired", "early", "malformed"]


class TokenRefused(Exception):
    """The token proves nothing.

    Attributes:
        kind: forged (not the issuer's word, or not for us), expired, early, or malformed.
        detail: the particular check that failed; never the token.
    """

    def __init__(self, kind: TokenFault, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: TokenFault = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class MachineClaims:
    """What Fly says about the Machine that holds the token.

    Attributes:
        image_digest: ``sha256:…``, or "" when Fly did not say.
        issued_at: Unix seconds, as ``expires_at``.
        jti: the token's own id, to be accepted once.
    """

    app_name: str
    machine_name: str
    machine_id: str
    image_digest: str
    region: str
    issued_at: float
    expires_at: float
    jti: str


class MachineTokens:
    """Verifies Machine tokens of one issuer for one audience.

    Args:
        keys: the issuer's keys.
        issuer: the only accepted ``iss``.
        audience: the only accepted ``aud``: our public URL.
        leeway: seconds by which Fly's clock and ours may differ.
    """

    def __init__(self, keys: SigningKeys, *, issuer: str, audience: str, leeway: float) -> None:
        self._keys = keys
        self._issuer = issuer.rstrip("/")
        self._audience = audience
        self._leeway = leeway
        self._jws = PyJWS(algorithms=list(ALGORITHMS))

    async def verify(self, token: str, now: float) -> MachineClaims:
        """Return the token's claims.

        Args:
            token: a compact JWT.
            now: Unix seconds that all its times are checked against.

        Raises:
            TokenRefused: it proves nothing.
            FlyError: the issuer's keys cannot be read, so nothing can be said.
        """
        key = await self._signing_key(token, now)
        claims = self._signed_claims(token, key)
        self._check_addressed_to_us(claims)
        issued_at, expires_at = self._check_times(claims, now)
        app_name = _text(claims, "app_name")
        machine_name = _text(claims, "machine_name")
        if not _text(claims, "sub").endswith(f":{app_name}:{machine_name}"):
            raise TokenRefused("malformed", "sub does not name the app and Machine of the other claims")
        return MachineClaims(
            app_name=app_name,
            machine_name=machine_name,
            machine_id=_text(claims, "machine_id"),
            image_digest=_text(claims, "image_digest") if claims.get("image_digest") else "",
            region=_text(claims, "region"),
            issued_at=issued_at,
            expires_at=expires_at,
            jti=_text(claims, "jti"),
        )

    async def _signing_key(self, token: str, now: float) -> SigningKey:
        if len(token) > TOKEN_MAX or not token.isascii():
            raise TokenRefused("malformed", f"longer than {TOKEN_MAX} characters, or not ASCII")
        try:
            header = self._jws.get_unverified_header(token)
        except (PyJWTError, RecursionError):
            raise TokenRefused("malformed", "not a signed token") from None
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise TokenRefused("forged", f"alg is none of {', '.join(ALGORITHMS)}")
        if not isinstance(kid, str) or not kid:
            raise TokenRefused("malformed", "no key id")
        key = await self._keys.find(kid, now)
        if key is None:
            raise TokenRefused("forged", "signed with a key the issuer does not have")
        if key.algorithm != algorithm:
            raise TokenRefused("forged", "alg is not the one of its key")
        return key

    def _signed_claims(self, token: str, key: SigningKey) -> Mapping[str, Any]:
        try:
            payload = self._jws.decode(token, key.key, algorithms=[key.algorithm])
            claims = json.loads(payload, parse_constant=_refuse_constant)
        except InvalidSignatureError:
            raise TokenRefused("forged", "the signature does not fit") from None
        except (PyJWTError, ValueError, RecursionError):
            raise TokenRefused("malformed", "not a signed JSON object") from None
        if not isinstance(claims, dict):
            raise TokenRefused("malformed", "not a signed JSON object")
        return claims

    def _check_addressed_to_us(self, claims: Mapping[str, Any]) -> None:
        if _text(claims, "iss") != self._issuer:
            raise TokenRefused("forged", "iss is another issuer")
        audience = claims.get("aud")
        if not isinstance(audience, str | list):
            raise TokenRefused("malformed", "aud is missing or not text")
        # One entry only: a token that is also good elsewhere could have been picked up there.
        if audience not in (self._audience, [self._audience]):
            raise TokenRefused("forged", "aud is not this dispatcher alone")

    def _check_times(self, claims: Mapping[str, Any], now: float) -> tuple[float, float]:
        issued_at, expires_at = _moment(claims, "iat"), _moment(claims, "exp")
        not_before = _moment(claims, "nbf") if "nbf" in claims else issued_at
        if expires_at <= issued_at:
            raise TokenRefused("malformed", "exp is not after iat")
        if now >= expires_at + self._leeway:
            raise TokenRefused("expired", f"expired {now - expires_at:.0f} s ago")
        early = max(issued_at, not_before) - now
        if early > self._leeway:
            raise TokenRefused("early", f"good in {early:.0f} s only: the clocks differ")
        return issued_at, expires_at


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TokenRefused("malformed", f"{name} is missing or not text")
    return value


def _moment(claims: Mapping[str, Any], name: str) -> float:
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise TokenRefused("malformed", f"{name} is missing or not a time")
    try:
        return float(value)
    except OverflowError:
        raise TokenRefused("malformed", f"{name} is not a time") from None


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
