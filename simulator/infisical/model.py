"""InfisicalSim: one project of one Infisical, as a plain stateful world with an injected clock.

What it knows is what the clients of this project rely on and trip over: Universal Auth with lockout, OIDC
Auth, access tokens that expire, v4 secrets with versions, values that are hidden instead of refused, leases
of GitHub tokens that a plan may not include, rate limits that only a sentence explains. Its journal names
secrets and never holds a value.
"""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.clock import Clock
from simulator.faults import Faults
from simulator.infisical.identities import AccessToken, Identity, Logins, Right
from simulator.infisical.leases import MAX_LEASES, GitHubDynamicSecret, Lease, Leases
from simulator.infisical.limits import Windows
from simulator.infisical.oidc_auth import OidcAuth
from simulator.infisical.refusal import (
    Refusal,
    bad_request,
    not_found,
    permission_denied,
    rate_limited,
    server_error,
    token_error,
)
from simulator.infisical.shelf import Shelf, Stored, Version
from simulator.journal import Journal

FAULT_KINDS = frozenset(
    {
        "server_error",
        "rate_limited",
        "token_refused",
        "change_policy",
        "plan_restriction",
        "lost_lease_answer",
    }
)
RATE_LIMITED_FAULT_S = 7


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call looks: project id, environment slug, folder path."""

    project_id: str
    environment: str
    path: str = "/"


@dataclass(frozen=True, slots=True)
class Seen:
    """One secret as one caller sees it; the face writes it in Infisical's shape."""

    stored: Stored
    version: Version
    hidden: bool


class InfisicalSim:
    """One project environment and the identities that may use it.

    Args:
        clock: every time is its ``now()``, in Unix seconds.
        seed: ids and access tokens follow from it.
        scale: lifetimes and lockouts are divided by it, rate limits multiplied.
        project_id, environment: the one place that exists; anything else answers 404.
        folders: folder paths besides ``/``.
        identities: who may log in.
        secrets: first values in folder ``/``.
        calls_per_minute: limit per kind (``login``, ``read``, ``write``); a kind that is not named has none,
            as on a self-hosted server.
        project_slug: what leases name the project by; the project id when not given.
        dynamic_secrets: those that can be leased from.
        max_leases: most live leases per dynamic secret.
        plan_has_dynamic_secrets: without it every lease is refused, as on an unlicensed server.
    """

    def __init__(
        self,
        clock: Clock,
        seed: int,
        scale: float = 1.0,
        *,
        project_id: str,
        environment: str = "prod",
        folders: Iterable[str] = (),
        identities: tuple[Identity, ...],
        secrets: Mapping[str, str] | None = None,
        calls_per_minute: Mapping[str, int] | None = None,
        project_slug: str = "",
        dynamic_secrets: tuple[GitHubDynamicSecret, ...] = (),
        max_leases: int = MAX_LEASES,
        plan_has_dynamic_secrets: bool = True,
    ) -> None:
        self._rng = random.Random(f"infisical-{seed}")  # noqa: S311 - a repeatable world, not cryptography
        self._clock = clock
        self._scale = scale
        self.project_id = project_id
        self.environment = environment
        self.project_slug = project_slug or project_id
        self.journal = Journal(clock)
        self.faults = Faults(self.journal, FAULT_KINDS)
        self.logins = Logins(identities, clock=clock, rng=self._rng, journal=self.journal, scale=scale)
        self._shelf = Shelf(folders, self._rng)
        self.leases = Leases(dynamic_secrets, clock=clock, rng=self._rng, limit=max_leases)
        self._plan_has_dynamic_secrets = plan_has_dynamic_secrets
        self._windows = Windows(clock, calls_per_minute or {}, scale)
        self._requests = 0
        for name, value in (secrets or {}).items():
            self._shelf.create("/", name, value, "", clock.now())

    def now(self) -> float:
        """Unix seconds."""
        return self._clock.now()

    def request_id(self) -> str:
        """The id of the next answer, as Infisical logs it."""
        self._requests += 1
        return f"req-sim{self._requests}"

    def login(self, client_id: str, client_secret: str) -> AccessToken:
        """Universal Auth login; see :meth:`Logins.login`."""
        self._admit("login", action="login")
        return self.logins.login(client_id, client_secret)

    def oidc_auth(self, identity_id: str) -> OidcAuth:
        """What an OIDC login of that identity is judged by; see :meth:`Logins.oidc_auth`."""
        self._admit("login", action="login")
        return self.logins.oidc_auth(identity_id)

    def authenticate(self, token: str | None, action: str) -> Identity:
        """The caller of one secrets call, after limits and armed faults had their say.

        Args:
            token: the bearer token, if any.
            action: ``list``, ``read``, ``create``, ``update``, ``delete`` or ``lease``.

        Raises:
            Refusal: 401, 403 TokenError, 429 or 500.
        """
        self._admit("read" if action in ("list", "read") else "write", action=action)
        if self.faults.fire("token_refused", action=action) is not None:
            raise self._refused(token_error("Your token has expired. Please log in again."), action)
        try:
            return self.logins.owner_of(token)
        except Refusal as refusal:
            raise self._refused(refusal, action) from None

    def list_secrets(self, caller: Identity, place: Place, *, view: bool) -> list[Seen]:
        """All secrets of a folder; hidden, not refused, when the caller may not see values.

        Raises:
            Refusal: 403 without the right to list, 404 for a place that is not there.
        """
        self._demand(caller, "describe", "list")
        seen = [
            Seen(stored, stored.latest, hidden=self._hidden(caller, view=view))
            for stored in self._folder(place)
        ]
        self._note_read(caller, place, [one.stored.name for one in seen], view=view)
        return seen

    def get_secret(
        self, caller: Identity, place: Place, name: str, *, version: int | None, view: bool
    ) -> Seen:
        """One secret, in its latest or a named version.

        Raises:
            Refusal: 403 without the right to list, 404 for a secret or version that is not there.
        """
        self._demand(caller, "describe", "read")
        self._folder(place)
        stored = self._shelf.get(place.path, name)
        seen = Seen(stored, stored.version(version), hidden=self._hidden(caller, view=view))
        self._note_read(caller, place, [name], view=view)
        return seen

    def create_secret(
        self, caller: Identity, place: Place, name: str, value: str, comment: str
    ) -> Seen | None:
        """A new secret, or None when a change policy turned the call into a request for approval.

        Raises:
            Refusal: 403 without the right to write, 404 for the place, 400 when the name is taken.
        """
        self._demand(caller, "write", "create")
        self._folder(place)
        if self.faults.fire("change_policy", action="create") is not None:
            return None
        return self._written(caller, self._shelf.create(place.path, name, value, comment, self._clock.now()))

    def update_secret(
        self, caller: Identity, place: Place, name: str, value: str | None, new_name: str | None
    ) -> Seen | None:
        """The next version of a secret, or None when a change policy asks for approval first.

        Raises:
            Refusal: 403 without the right to write, 404 when it is not there, 400 when the new name is taken.
        """
        self._demand(caller, "write", "edit")
        self._folder(place)
        if self.faults.fire("change_policy", action="update") is not None:
            return None
        return self._written(caller, self._shelf.change(place.path, name, value, new_name, self._clock.now()))

    def delete_secret(self, caller: Identity, place: Place, name: str) -> Seen:
        """Remove a secret with its history.

        Raises:
            Refusal: 403 without the right to write, 404 when it is not there.
        """
        self._demand(caller, "write", "delete")
        self._folder(place)
        stored = self._shelf.remove(place.path, name)
        self.journal.record("secret_deleted", identity=caller.name, name=name, path=place.path)
        return Seen(stored, stored.latest, hidden=self._hidden(caller, view=True))

    def leasable(
        self, caller: Identity, project_slug: str, place: Place, name: str, ttl: str | None
    ) -> tuple[GitHubDynamicSecret, float]:
        """The dynamic secret that may be leased from now, and when that lease would end.

        Raises:
            Refusal: 404 for what is not there, 403 without the right to lease, 400 for the plan, the limit or
                the TTL.
        """
        if project_slug != self.project_slug:
            raise not_found(f"Project with slug '{project_slug}' not found")
        if "lease" not in caller.rights:
            raise self._refused(permission_denied("lease", "dynamic-secrets"), "lease", caller.name)
        restricted = self.faults.fire("plan_restriction", action="lease") is not None
        if restricted or not self._plan_has_dynamic_secrets:
            raise self._refused(
                bad_request(
                    "Failed to create lease due to plan restriction. Upgrade plan to create dynamic secret."
                ),
                "lease",
                caller.name,
            )
        self._folder(place)
        secret = self.leases.find(place.path, name)
        return secret, self.leases.ends_at(secret, ttl)

    def keep_lease(self, caller: Identity, secret: GitHubDynamicSecret, expires_at: float) -> Lease:
        """Write down a lease whose token was minted.

        Raises:
            Refusal: 500 when a fault loses the answer; the lease is there all the same.
        """
        lease = self.leases.keep(secret, expires_at)
        self.journal.record(
            "lease_created", identity=caller.name, name=secret.name, path=secret.path, lease=lease.id
        )
        if self.faults.fire("lost_lease_answer", action="lease") is not None:
            raise server_error()
        return lease

    def rotate(self, name: str, value: str, path: str = "/") -> int:
        """Write a value as an operator in the web page would; returns its version.

        Raises:
            Refusal: 404 when the folder is not there.
        """
        names = {stored.name for stored in self._shelf.folder(path)}
        now = self._clock.now()
        if name in names:
            stored = self._shelf.change(path, name, value, None, now)
        else:
            stored = self._shelf.create(path, name, value, "", now)
        self.journal.record(
            "secret_written", identity="operator", name=name, path=path, version=stored.latest.number
        )
        return stored.latest.number

    def state(self) -> dict[str, Any]:
        """Identities, locks, and each secret's latest version; never a value."""
        return {
            "now": self._clock.now(),
            "project_id": self.project_id,
            "environment": self.environment,
            "identities": self.logins.as_json(),
            "secrets": self._shelf.as_json(),
            "project_slug": self.project_slug,
            "dynamic_secrets": self.leases.as_json(),
        }

    def _admit(self, kind: str, *, action: str) -> None:
        if self.faults.fire("server_error", action=action) is not None:
            raise server_error()
        if self.faults.fire("rate_limited", action=action) is not None:
            raise rate_limited(RATE_LIMITED_FAULT_S)
        if (wait := self._windows.spend(kind)) > 0:
            self.journal.record("rate_limited", action=action)
            raise rate_limited(wait)

    def _folder(self, place: Place) -> list[Stored]:
        if place.project_id != self.project_id:
            raise not_found(f"Project with ID '{place.project_id}' not found")
        if place.environment != self.environment:
            raise not_found(f"Environment with slug '{place.environment}' not found")
        return self._shelf.folder(place.path)

    def _demand(self, caller: Identity, right: Right, action: str) -> None:
        if right not in caller.rights:
            raise self._refused(permission_denied(action), action, caller.name)

    def _hidden(self, caller: Identity, *, view: bool) -> bool:
        return not view or "read_value" not in caller.rights

    def _refused(self, refusal: Refusal, action: str, identity: str | None = None) -> Refusal:
        self.journal.record(
            "refused", identity=identity, action=action, status=refusal.status, error=refusal.error
        )
        return refusal

    def _note_read(self, caller: Identity, place: Place, names: list[str], *, view: bool) -> None:
        self.journal.record(
            "secret_read",
            identity=caller.name,
            path=place.path,
            names=names,
            hidden=self._hidden(caller, view=view),
        )

    def _written(self, caller: Identity, stored: Stored) -> Seen:
        self.journal.record(
            "secret_written",
            identity=caller.name,
            name=stored.name,
            path=stored.path,
            version=stored.latest.number,
        )
        return Seen(stored, stored.latest, hidden="read_value" not in caller.rights)
