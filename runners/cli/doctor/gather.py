"""The one gatherer: asks everybody once, and writes down what was said, or why nothing was."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import httpx

from runners.cli.doctor.asking import answer, answers, granted, unread_because
from runners.cli.doctor.dates import Dates
from runners.cli.doctor.facts import Credential, Deliveries, Facts, Unread
from runners.cli.doctor.forms import wrong_with
from runners.cli.doctor.gather_reach import addresses, answering
from runners.cli.doctor.gather_store import database
from runners.connections import Connections, connect, network
from runners.model.settings import Settings
from runners.planning.names import is_runner_of
from runners.secrets.ageing import in_words
from runners.secrets.interface import CredentialMissing, SourceRefused
from runners.secrets.names import (
    installation_token_name,
    registration_token_name,
)
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

T = TypeVar("T")
DAY = 86_400.0
_APP_ONLY = Unread(
    "only the App itself may ask, and its key is not here",
    next_step="run `fly-gha doctor --as-app` where the publisher runs",
)


async def gather(
    settings: Settings,
    environ: Mapping[str, str],
    clock: Clock,
    *,
    as_app: bool,
    inner: Callable[[], httpx.AsyncBaseTransport] = network,
) -> Facts:
    """Find out what there is to know.

    Args:
        settings: fleet.toml.
        environ: where local credentials are.
        clock: ours.
        as_app: sign as the GitHub App, with a key from the local credentials.
        inner: makes what really sends.
    """
    kept: list[Dates] = []

    def noting() -> httpx.AsyncBaseTransport:
        kept.append(Dates(inner(), clock))
        return kept[-1]

    connections = connect(settings, clock, environ, as_app=as_app, inner=noting)
    try:
        return await _Gatherer(connections, clock, kept, as_app=as_app).facts()
    finally:
        await connections.close()


class _Gatherer:
    def __init__(self, connections: Connections, clock: Clock, dates: list[Dates], *, as_app: bool) -> None:
        self._connections = connections
        self._settings = connections.settings
        self._clock = clock
        self._dates = dates
        self._as_app = as_app

    async def facts(self) -> Facts:
        settings, connections = self._settings, self._connections
        fly, github = connections.fly_survey, connections.github_survey
        secrets = await self._vaults()
        pools = settings.pools
        scopes = sorted({pool.scope for pool in pools})
        apps = sorted({app for pool in pools for app in pool.apps})
        return Facts(
            now=self._clock.now(),
            settings=settings,
            where=connections.vault.where,
            secrets=secrets,
            credentials=tuple(self._credentials()),
            database=await database(settings.fleet.database_url),
            as_app=self._as_app,
            leases=await self._leases(),
            app=await self._as_the_app(github.app),
            installations=await answers(
                scopes, lambda scope: self._as_the_app(lambda: github.installation(scope))
            ),
            hook=await self._as_the_app(github.hook_config),
            deliveries=await self._as_the_app(self._deliveries),
            scopes=await answers(scopes, connections.github.scope_seen),
            granted=granted(connections),
            fly_tokens=await answer(fly.tokens()),
            fly_apps=await answers(apps, fly.app),
            fly_images=await answers(apps, fly.images),
            fly_regions=await answer(fly.regions()),
            versions_offered=await answers(scopes, github.runner_version),
            versions_used=await answers(scopes, self._versions),
            addresses=await addresses(settings.fleet.public_url),
            public=await answering(settings.fleet.public_url),
            local=await answering(f"http://{_own_host(settings)}:{settings.fleet.port}"),
            clock_offsets=self._offsets(),
        )

    async def _vaults(self) -> Unread | None:
        """Read the credentials; a second vault holds the App key of the publisher."""
        for vault in {id(each): each for each in (self._connections.vault, self._connections.keys)}.values():
            try:
                await vault.refresh()
            except (UpstreamError, CredentialMissing, SourceRefused) as error:
                why = error.told if isinstance(error, UpstreamError) else str(error)
                return Unread(why, refused=True, next_step=error.next_step)
        return None

    async def _leases(self) -> dict[str, Mapping[str, str] | Unread]:
        """Lease a token from each owner's dynamic secret; the calls that follow use them."""
        if self._as_app or self._settings.github.credentials != "lease":
            return {}
        owners = sorted({pool.owner for pool in self._settings.pools})
        got = await answers(owners, self._connections.tokens.token)
        granted = self._connections.leases.granted
        return {owner: each if isinstance(each, Unread) else granted(owner) for owner, each in got.items()}

    async def _as_the_app(self, ask: Callable[[], Awaitable[T]]) -> T | Unread:
        try:
            if await self._connections.tokens.app_jwt() is None:
                return _APP_ONLY
        except (UpstreamError, CredentialMissing) as error:
            return unread_because(error)
        return await answer(ask())

    async def _deliveries(self) -> Deliveries:
        page = await self._connections.github.deliveries(self._clock.now() - DAY)
        last = page.deliveries[-1] if page.deliveries else None
        return Deliveries(
            attempts=len(page.deliveries),
            arrived=sum(each.arrived for each in page.deliveries),
            last_at=None if last is None else last.delivered_at,
            last_status=0 if last is None else last.status_code,
        )

    async def _versions(self, scope: str) -> frozenset[str]:
        found = await self._connections.github_survey.versions_in_use(scope)
        names = [pool.name for pool in self._settings.pools]
        fleet = self._settings.fleet.name
        return frozenset(version for name, version in found.items() if is_runner_of(fleet, names, name))

    def _offsets(self) -> dict[str, float | Unread]:
        """Of Fly and GitHub, whose tokens have times in them."""
        silent = Unread("it has not answered with a date")
        return {
            name: silent if dates.offset is None else dates.offset
            for name, dates in zip(("Fly", "GitHub"), self._dates, strict=False)
        }

    def _credentials(self) -> Iterable[Credential]:
        settings, vault, keys = self._settings, self._connections.vault, self._connections.keys
        names = ["FLY_API_TOKEN", "FLY_GHA_FLEET_KEY", "GITHUB_WEBHOOK_SECRET"]
        if settings.github.credentials == "published":
            names += [
                installation_token_name(owner) for owner in sorted({pool.owner for pool in settings.pools})
            ]
            by_token = sorted({pool.scope for pool in settings.pools if pool.registration != "jit"})
            names += [registration_token_name(scope) for scope in by_token]
        for name in names:
            value = vault.get(name)
            wrong = "" if value is None else wrong_with(name, value) or self._late(name)
            yield Credential(name, value is not None, wrong, self._left(name))
        key, name = keys.get("GITHUB_APP_PRIVATE_KEY"), "GITHUB_APP_PRIVATE_KEY"
        if self._as_app or settings.github.credentials == "app":
            yield Credential(name, key is not None, "" if key is None else wrong_with(name, key))
        elif key is not None:
            wrong = "the dispatcher can read the App key, which the publisher alone should hold"
            yield Credential(name, held=True, wrong=wrong)

    def _late(self, name: str) -> str:
        left = self._connections.ageing().get(name)
        if left is None:
            return ""
        if left <= 0:
            return f"it ended {in_words(left)}"
        return f"it ends in {in_words(left)} and was not replaced"

    def _left(self, name: str) -> str:
        left = self._connections.tokens_left().get(name)
        return "" if left is None else f"good for {in_words(left)}"


def _own_host(settings: Settings) -> str:
    """Where this configuration's dispatcher is reached from this host."""
    host = settings.fleet.host
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)
