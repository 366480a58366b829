"""Machine identities and their logins, by Universal Auth or OIDC: rights, lockout, access tokens that expire.

Lockout is on by default at Infisical and is what makes a careless client lock itself out: three failed logins
lock the client id for 300 s, and the answer stays 401 even for the right secret; the count is forgotten 30 s
after the last failure (Infisical's source). OIDC Auth counts no failures. Every duration is divided by the
simulator's ``scale``.
"""

import hmac
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from simulator.clock import Clock
from simulator.infisical.oidc_auth import OidcAuth
from simulator.infisical.refusal import Refusal, not_found, token_error, unauthorized
from simulator.journal import Journal

FAILURES_TO_LOCK = 3
LOCKED_S = 300.0
FAILURES_FORGOTTEN_S = 30.0
DEFAULT_TOKEN_TTL_S = 2_592_000.0  # Infisical's default: 30 days

Right = Literal["describe", "read_value", "write", "lease"]
LISTER: frozenset[Right] = frozenset({"describe"})
READER: frozenset[Right] = frozenset({"describe", "read_value"})
WRITER: frozenset[Right] = frozenset({"describe", "read_value", "write"})
LESSEE: frozenset[Right] = frozenset({"describe", "read_value", "lease"})


@dataclass(frozen=True, slots=True)
class Identity:
    """One machine identity, with Universal Auth, OIDC Auth, or both.

    Attributes:
        name: what the journal calls it ("dispatcher", "publisher").
        client_id: of Universal Auth; "" when it has none.
        rights: ``describe`` lists names, ``read_value`` shows values, ``write`` creates, changes and deletes,
            ``lease`` leases from dynamic secrets.
        token_ttl: lifetime of its access tokens in seconds, before scaling.
        identity_id: what an OIDC login names.
        oidc: what such a login is judged by; None when it has no OIDC Auth.
    """

    name: str
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    rights: frozenset[Right] = READER
    token_ttl: float = DEFAULT_TOKEN_TTL_S
    identity_id: str = ""
    oidc: OidcAuth | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a login hands out; ``expires_in`` is in (scaled) seconds."""

    token: str = field(repr=False)
    expires_in: float


@dataclass(slots=True)
class _Failures:
    count: int = 0
    forgotten_at: float = 0.0
    locked_until: float = 0.0


@dataclass(frozen=True, slots=True)
class _Issued:
    identity: Identity
    expires_at: float


class Logins:
    """Logs identities in and knows whose access token a call carries.

    Args:
        identities: all there are; client ids must differ, and so must identity ids.
        rng: seeded; access tokens come from it.
        scale: every duration is divided by it.

    Raises:
        ValueError: two identities share a client id or an identity id.
    """

    def __init__(
        self,
        identities: tuple[Identity, ...],
        *,
        clock: Clock,
        rng: random.Random,
        journal: Journal,
        scale: float,
    ) -> None:
        self._identities = _by("client id", [(one.client_id, one) for one in identities if one.client_id])
        self._by_oidc = _by("identity id", [(one.identity_id, one) for one in identities if one.oidc])
        self._names = tuple(identity.name for identity in identities)
        self._failures = {client_id: _Failures() for client_id in self._identities}
        self._issued: dict[str, _Issued] = {}
        self._clock = clock
        self._rng = rng
        self._journal = journal
        self._scale = scale

    def login(self, client_id: str, client_secret: str) -> AccessToken:
        """Trade a client id and secret for an access token.

        Raises:
            Refusal: 401 for an unknown id, a wrong secret, and anything at all while the id is locked.
        """
        identity = self._identities.get(client_id)
        if identity is None:
            self._journal.record("login_refused", identity=None, client_id=client_id, why="unknown client id")
            raise unauthorized("Invalid credentials")
        now = self._clock.now()
        failures = self._failures[client_id]
        if now < failures.locked_until:
            self._journal.record("login_refused", identity=identity.name, client_id=client_id, why="locked")
            raise unauthorized("This identity auth method is temporarily locked, please try again later")
        if not hmac.compare_digest(identity.client_secret.encode(), client_secret.encode()):
            self._count_failure(identity, failures, now)
            raise unauthorized("Invalid credentials")
        self._failures[client_id] = _Failures()
        return self._issue(identity, client_id=client_id)

    def oidc_auth(self, identity_id: str) -> OidcAuth:
        """What an OIDC login of that identity is judged by.

        Raises:
            Refusal: 404 for an identity without it.
        """
        identity = self._by_oidc.get(identity_id)
        if identity is None or identity.oidc is None:
            self._journal.record(
                "login_refused", identity=None, identity_id=identity_id, why="unknown identity"
            )
            raise not_found("OIDC auth method not found for identity, did you configure OIDC auth?")
        return identity.oidc

    def login_with_oidc(self, identity_id: str, token: str, key_set: Mapping[str, Any]) -> AccessToken:
        """Trade an issuer's token for an access token.

        Args:
            identity_id: which identity.
            token: the JWT.
            key_set: the JWKS of the identity's issuer, as fetched for this login.

        Raises:
            Refusal: 404 without OIDC Auth, 403 for the subject, 401 for all else.
        """
        oidc = self.oidc_auth(identity_id)
        identity = self._by_oidc[identity_id]
        try:
            oidc.judge(token, key_set, self._clock.now())
        except Refusal as refusal:
            self._journal.record(
                "login_refused", identity=identity.name, identity_id=identity_id, why=str(refusal.message)
            )
            raise
        return self._issue(identity, identity_id=identity_id)

    def owner_of(self, token: str | None) -> Identity:
        """The identity whose access token this is.

        Raises:
            Refusal: 401 without a token, 403 TokenError for one that expired or that nobody issued.
        """
        if not token:
            raise unauthorized("Token missing")
        issued = self._issued.get(token)
        if issued is None:
            raise token_error("Your token is invalid. Please log in again.")
        if self._clock.now() >= issued.expires_at:
            del self._issued[token]
            raise token_error("Your token has expired. Please log in again.")
        return issued.identity

    def change_secret(self, client_id: str, client_secret: str) -> None:
        """Replace the client secret of one identity, as an operator would.

        Raises:
            KeyError: no identity has this client id.
        """
        self._identities[client_id] = replace(self._identities[client_id], client_secret=client_secret)

    def change_oidc(self, identity_id: str, oidc: OidcAuth) -> None:
        """Configure an identity's OIDC Auth anew, as an operator would.

        Raises:
            KeyError: no identity with OIDC Auth has this id.
        """
        self._by_oidc[identity_id] = replace(self._by_oidc[identity_id], oidc=oidc)

    def as_json(self) -> list[dict[str, object]]:
        """Identities, rights and locks for the state page; no secret and no token."""
        now = self._clock.now()
        known = {one.name: one for one in (*self._identities.values(), *self._by_oidc.values())}
        return [
            {
                "name": name,
                "client_id": identity.client_id,
                "identity_id": identity.identity_id,
                "rights": sorted(identity.rights),
                "locked_until": failures.locked_until if now < failures.locked_until else None,
                "live_tokens": sum(
                    1
                    for issued in self._issued.values()
                    if issued.identity.name == name and now < issued.expires_at
                ),
            }
            for name in self._names
            if (identity := known.get(name)) is not None
            for failures in [self._failures.get(identity.client_id, _Failures())]
        ]

    def _issue(self, identity: Identity, **proof: str) -> AccessToken:
        lifetime = identity.token_ttl / self._scale
        token = f"sim-access-token.{self._rng.getrandbits(160):040x}"
        self._issued[token] = _Issued(identity, self._clock.now() + lifetime)
        self._journal.record("login", identity=identity.name, **proof, expires_in=lifetime)
        return AccessToken(token, lifetime)

    def _count_failure(self, identity: Identity, failures: _Failures, now: float) -> None:
        if now >= failures.forgotten_at:
            failures.count = 0
        failures.count += 1
        failures.forgotten_at = now + FAILURES_FORGOTTEN_S / self._scale
        self._journal.record(
            "login_refused", identity=identity.name, client_id=identity.client_id, why="wrong secret"
        )
        if failures.count >= FAILURES_TO_LOCK:
            failures.locked_until = now + LOCKED_S / self._scale
            failures.count = 0
            self._journal.record(
                "locked_out",
                identity=identity.name,
                client_id=identity.client_id,
                until=failures.locked_until,
            )


def _by(what: str, keyed: Sequence[tuple[str, Identity]]) -> dict[str, Identity]:
    found = dict(keyed)
    if len(found) != len(keyed):
        raise ValueError(f"two identities share a {what}; give each its own")
    return found
