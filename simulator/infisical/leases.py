"""Dynamic secrets of the provider ``github``, and their leases: each one a fresh installation token.

What is Infisical's own (its source): a lease's ``expireAt`` comes from its TTL alone while the token lives
for GitHub's hour; at most MAX_LEASES live leases per dynamic secret; a plan without dynamic secrets answers
400. Durations are those of reality at every time scale, as GitHubSim's tokens are. The face has GitHub mint.
"""

import random
import re
import uuid
from dataclasses import dataclass, field

from simulator.clock import Clock
from simulator.infisical.refusal import bad_request, not_found

MAX_LEASES = 10_000
_UNITS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}
_SHORTEST_S = 60.0
_JWT_BACKDATED_S = 60
_JWT_LIFE_S = 540


@dataclass(frozen=True, slots=True)
class GitHubDynamicSecret:
    """One dynamic secret of the type ``github``: one installation of one App.

    Attributes:
        name: lower case, as Infisical stores it.
        path: its folder.
        app_id, private_key: sign as the App.
        installation_id: None takes the App's only installation; the real one must be told.
        default_ttl, max_ttl: durations such as ``1h``; ``max_ttl`` None sets no limit.
    """

    name: str
    app_id: int
    private_key: str = field(repr=False)
    installation_id: int | None = None
    path: str = "/"
    default_ttl: str = "1h"
    max_ttl: str | None = None

    def app_claims(self, now: float) -> dict[str, object]:
        """What the App's JWT says."""
        return {"iss": str(self.app_id), "iat": int(now) - _JWT_BACKDATED_S, "exp": int(now) + _JWT_LIFE_S}


@dataclass(frozen=True, slots=True)
class Lease:
    """One lease; times in Unix seconds."""

    id: str
    external_id: str
    secret: GitHubDynamicSecret
    created_at: float
    expires_at: float


class Leases:
    """All dynamic secrets of one environment, and what was leased from them.

    Args:
        secrets: all there are.
        rng: seeded; ids come from it.
        limit: most live leases per dynamic secret (MAX_LEASE_LIMIT).

    Raises:
        ValueError: two share a name and a folder.
    """

    def __init__(
        self, secrets: tuple[GitHubDynamicSecret, ...], *, clock: Clock, rng: random.Random, limit: int
    ) -> None:
        self._clock = clock
        self._rng = rng
        self._limit = limit
        self._secrets = {(secret.path, secret.name): secret for secret in secrets}
        if len(self._secrets) != len(secrets):
            raise ValueError("two dynamic secrets of one folder share a name; give each its own")
        self.ids = {key: self._id() for key in self._secrets}
        self._leases: list[Lease] = []

    def find(self, path: str, name: str) -> GitHubDynamicSecret:
        """The dynamic secret of that name, whatever its case.

        Raises:
            Refusal: 404.
        """
        secret = self._secrets.get((path, name.lower()))
        if secret is None:
            raise not_found(f"Dynamic secret with name '{name}' in folder with path '{path}' not found")
        return secret

    def ends_at(self, secret: GitHubDynamicSecret, ttl: str | None) -> float:
        """When a lease made now would end.

        Raises:
            Refusal: 400 for a TTL that is none or too long, and at the limit of live leases.
        """
        if len(self.live(secret)) >= self._limit:
            raise bad_request(f"Max lease limit reached. Limit: {self._limit}")
        seconds = _seconds(ttl or secret.default_ttl)
        if seconds is None or seconds < _SHORTEST_S:
            raise bad_request("TTL must be a greater than 1min")
        longest = _seconds(secret.max_ttl) if secret.max_ttl else None
        if longest is not None and seconds > longest:
            raise bad_request("TTL cannot be larger than max TTL")
        return self._clock.now() + seconds

    def keep(self, secret: GitHubDynamicSecret, expires_at: float) -> Lease:
        """Write down a lease whose token was minted."""
        lease = Lease(self._id(), self._id(), secret, self._clock.now(), expires_at)
        self._leases.append(lease)
        return lease

    def live(self, secret: GitHubDynamicSecret) -> list[Lease]:
        """The leases that have not ended."""
        now = self._clock.now()
        return [lease for lease in self._leases if lease.secret == secret and lease.expires_at > now]

    def as_json(self) -> list[dict[str, object]]:
        """By dynamic secret, how many leases were made and how many live."""
        return [
            {
                "name": secret.name,
                "path": secret.path,
                "leases": sum(lease.secret == secret for lease in self._leases),
                "live_leases": len(self.live(secret)),
            }
            for secret in self._secrets.values()
        ]

    def _id(self) -> str:
        return str(uuid.UUID(int=self._rng.getrandbits(128), version=4))


def _seconds(duration: str) -> float | None:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd])", duration.strip())
    return float(found[1]) * _UNITS[found[2]] if found else None
