"""OIDC Auth of a machine identity, as Infisical checks it: whose token, for whom, about whom, saying what.

The order of the checks and their words are Infisical's (its source): signature and issuer, subject, audience,
claims. A refused subject is 403, everything else 401. Policies are split at ", ", and each part matches
exactly or as a glob in which ``*`` stops at a slash (picomatch's default).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt

from simulator.infisical.refusal import Refusal, forbidden, unauthorized

ALGORITHMS = ("RS256", "ES256", "EdDSA")


@dataclass(frozen=True, slots=True)
class OidcAuth:
    """What an operator sets on an identity, by Infisical's names.

    Attributes:
        discovery_url: ``oidcDiscoveryUrl``, without ``/.well-known/openid-configuration``.
        bound_issuer: what ``iss`` must be.
        bound_audiences: policy for ``aud``; "" checks nothing.
        bound_subject: policy for ``sub``; "" checks nothing.
        bound_claims: policy by claim; a dotted name reaches into objects.
    """

    discovery_url: str
    bound_issuer: str
    bound_audiences: str = ""
    bound_subject: str = ""
    bound_claims: Mapping[str, str] = field(default_factory=dict)

    def judge(self, token: str, key_set: Mapping[str, Any], now: float) -> None:
        """Accept a token or not.

        Args:
            token: the JWT.
            key_set: the issuer's JWKS as it was fetched for this login.
            now: Unix seconds its times are checked against.

        Raises:
            Refusal: 401, or 403 for the subject.
        """
        claims = self._verified(token, key_set, now)
        if self.bound_subject and not _matches(str(claims.get("sub", "")), self.bound_subject):
            raise forbidden("Access denied: OIDC subject not allowed.")
        audience = claims.get("aud")
        audiences = audience if isinstance(audience, list) else [audience]
        if self.bound_audiences and not any(
            _matches(str(each), self.bound_audiences) for each in audiences if each is not None
        ):
            raise unauthorized("Access denied: OIDC audience not allowed.")
        for name, policy in self.bound_claims.items():
            value = _by_dots(claims, name)
            if value is None or not _matches(str(value), policy):
                raise unauthorized("Access denied: OIDC claim not allowed.")

    def _verified(self, token: str, key_set: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.PyJWTError:
            raise unauthorized("Invalid JWT") from None
        key = _key_of(kid, key_set.get("keys", ()))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(ALGORITHMS),
                options={"verify_exp": False, "verify_iat": False, "verify_nbf": False, "verify_aud": False},
            )
        except jwt.PyJWTError:
            raise unauthorized("Access denied: invalid signature") from None
        if claims.get("iss") != self.bound_issuer:
            raise unauthorized(f"Access denied: jwt issuer invalid. expected: {self.bound_issuer}")
        if not isinstance(claims.get("exp"), int | float) or claims["exp"] <= now:
            raise unauthorized("Access denied: jwt expired")
        if isinstance(claims.get("nbf"), int | float) and claims["nbf"] > now:
            raise unauthorized("Access denied: jwt not active")
        return claims


def undiscovered(url: str) -> Refusal:
    """401: the issuer's discovery document or key set could not be fetched."""
    return unauthorized(f"Access denied: Failed to fetch OIDC discovery document from {url}.")


def _key_of(kid: object, keys: Sequence[Mapping[str, Any]]) -> jwt.PyJWK:
    for entry in keys:
        if isinstance(entry, dict) and entry.get("kid") == kid:
            try:
                return jwt.PyJWK.from_dict(entry)
            except (jwt.PyJWTError, ValueError):
                break
    raise unauthorized(
        "Access denied: Unable to verify JWT signature. The signing key was not found in the OIDC "
        "provider's JWKS endpoint."
    )


def _matches(value: str, policy: str) -> bool:
    return any(value == part or _glob(part).fullmatch(value) for part in policy.split(", "))


def _glob(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\*\*|\*|\?)", pattern)
    meaning = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    return re.compile("".join(meaning.get(part) or re.escape(part) for part in parts))


def _by_dots(claims: Mapping[str, Any], name: str) -> object:
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = found.get(part)
    return found
