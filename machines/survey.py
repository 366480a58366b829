"""Survey: what Fly says of the apps, the regions and the API token, in the fleet's words. It only reads.

For ``fly-gha doctor``: nothing the fleet does rests on it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx
from pydantic import SecretStr

from fly.client import DEFAULT_BASE_URL, FlyClient
from fly.macaroon import ends_at
from machines.meanings import in_our_words
from runners.upstream.clock import Clock

SHARED_NETWORK = "default"
"""The network of every app that was not given one: all of them reach each other."""


@dataclass(frozen=True, slots=True)
class AppSeen:
    """One app.

    Attributes:
        network: the private network it is in, "" when Fly did not say.
        organization: slug of its owner, "" likewise.
    """

    network: str
    organization: str


@dataclass(frozen=True, slots=True)
class TokenSeen:
    """What the API token is for.

    Attributes:
        organization: the slug.
        apps: the apps it is limited to; empty for all of the organization.
        personal: it is a person's own, which may do everything that person may.
        machine_bound: only one Machine may use it.
    """

    organization: str
    apps: tuple[str, ...]
    personal: bool
    machine_bound: bool


def token_ends_at(token: SecretStr) -> float | None:
    """When an API token of Fly's ends, in Unix seconds, as it tells itself; None when it does not."""
    return ends_at(token.get_secret_value())


class Survey:
    """Reads what ``doctor`` looks at.

    Args:
        http: sends, over an UpstreamTransport.
        clock: what relative waits in Fly's answers count from.
        token: gives the API token; what it raises passes through.
        base_url: of the Machines API, without ``/v1``.
    """

    def __init__(
        self,
        http: httpx.AsyncClient,
        clock: Clock,
        *,
        token: Callable[[], SecretStr],
        base_url: str = DEFAULT_BASE_URL,
    ) -> None:
        self._fly = FlyClient(http, token=token, base_url=base_url)
        self._clock = clock

    async def app(self, app: str) -> AppSeen:
        """One app. Raises UpstreamError."""
        with in_our_words(self._clock, mutating=False):
            seen = await self._fly.show_app(app)
        return AppSeen(seen.network, "" if seen.organization is None else seen.organization.slug)

    async def images(self, app: str) -> frozenset[str]:
        """The digests of the images that the app's Machines run, or ran, as far as Fly still lists them."""
        with in_our_words(self._clock, mutating=False):
            machines = await self._fly.list_machines(app, include_deleted=True)
        return frozenset(
            each.image_ref.digest for each in machines if each.image_ref and each.image_ref.digest
        )

    async def regions(self) -> frozenset[str]:
        """The regions that may be used. Raises UpstreamError."""
        with in_our_words(self._clock, mutating=False):
            found = await self._fly.list_regions()
        return frozenset(each.code for each in found if each.code and not each.deprecated)

    async def tokens(self) -> tuple[TokenSeen, ...]:
        """What the API token is for. Raises UpstreamError."""
        with in_our_words(self._clock, mutating=False):
            found = await self._fly.current_tokens()
        return tuple(
            TokenSeen(each.org_slug, each.apps or (), bool(each.user), bool(each.restricted_to_machine))
            for each in found
        )
