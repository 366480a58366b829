"""Connections: what a process needs to talk to Fly, GitHub and Infisical, built from the settings.

Every client sends through an UpstreamTransport. Credentials are asked for with each call, so a rotation is in
force as soon as the Vault has read it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from machines.classes import MachineClass, load_fleet_classes
from machines.own_identity import SOCKET, OwnIdentity
from machines.prices import dearest_usd_per_hour, usd_per_hour, usd_per_hour_stopped
from machines.provider import Provider
from machines.provider import upstream_key as fly_key
from machines.survey import Survey as FlySurvey
from machines.survey import token_ends_at
from runners.github.app_auth import AppMinter, AppSigner
from runners.github.app_tokens import AppTokens
from runners.github.calls import Calls
from runners.github.client import GitHub
from runners.github.kept_tokens import KeptTokens
from runners.github.leased_tokens import LeasedTokens
from runners.github.scope import upstream_key as github_key
from runners.github.survey import Survey as GitHubSurvey
from runners.github.token_probe import TokenProbe
from runners.github.tokens import TokenSource
from runners.model.settings import Settings
from runners.secrets.ageing import FLY_LATE_S, late_below
from runners.secrets.fly_oidc import FlyOidc
from runners.secrets.github_leases import GitHubLeases
from runners.secrets.github_tokens import PublishedTokens
from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.infisical_calls import InfisicalCalls
from runners.secrets.infisical_login import Method
from runners.secrets.interface import SecretSource, Vault
from runners.secrets.local import EnvironmentSecrets, FileSecrets
from runners.secrets.names import installation_token_name
from runners.secrets.universal_auth import UniversalAuth
from runners.upstream.breaker import Breaker, BreakerState
from runners.upstream.clock import Clock
from runners.upstream.record import CallRecord
from runners.upstream.tally import CallTally
from runners.upstream.transport import UpstreamTransport

TransportFactory = Callable[[], httpx.AsyncBaseTransport]
# Effects run in parallel up to their budgets; the pool only has to be wider than those.
POOL = httpx.Limits(max_connections=200, max_keepalive_connections=50)


FLY_TOKEN = "FLY_API_TOKEN"  # noqa: S105 - a name
ALWAYS_NEEDED: Mapping[str, str] = {
    "fly": FLY_TOKEN,
    "seal": "FLY_GHA_FLEET_KEY",
    "webhook": "GITHUB_WEBHOOK_SECRET",
}


def network() -> httpx.AsyncBaseTransport:
    """The real network."""
    return httpx.AsyncHTTPTransport(limits=POOL, retries=0)


@dataclass(frozen=True, slots=True)
class Connections:
    """The clients of one process.

    Attributes:
        transports: all of them, for their breakers and to be closed.
        keys: where the App key is: the Vault, or for the publisher its own local credentials.
        minter: mints installation tokens as the App.
        probe: asks GitHub whether a token is still good.
        leases: has Infisical mint installation tokens; of use in mode ``lease`` alone.
        classes: the machine classes, by name, read once.
        fly_survey: reads what Fly says of apps, regions and tokens.
        github_survey: reads what GitHub says of the App, its webhook and the runner's version.
        calls: counts every call of theirs.
    """

    settings: Settings
    clock: Clock
    vault: Vault
    keys: Vault
    source: SecretSource
    provider: Provider
    github: GitHub
    tokens: TokenSource
    minter: AppMinter
    probe: TokenProbe
    leases: GitHubLeases
    classes: Mapping[str, MachineClass]
    transports: tuple[UpstreamTransport, ...]
    fly_survey: FlySurvey
    github_survey: GitHubSurvey
    calls: CallTally

    def price(self, machine_class: str, region: str) -> float:
        """US dollars for one hour of a started Machine; 0 when the class is not known."""
        known = self.classes.get(machine_class)
        return 0.0 if known is None else usd_per_hour(known, region)

    def stopped_price(self, machine_class: str) -> float:
        """US dollars for one hour of a stopped spare, its disk; 0 when the class is not known."""
        known = self.classes.get(machine_class)
        return 0.0 if known is None else usd_per_hour_stopped(known)

    def pool_prices(self) -> dict[str, float]:
        """By pool, US dollars per hour of one started Machine in the dearest of the pool's regions."""
        return {
            pool.name: dearest_usd_per_hour(self.classes[pool.class_name], pool.regions)
            for pool in self.settings.pools
            if pool.class_name in self.classes
        }

    def blocked(self) -> Mapping[str, float]:
        """By upstream key, until when calls are pointless."""
        found: dict[str, float] = {}
        for transport in self.transports:
            found.update(transport.blocked_until())
        return found

    def breakers(self) -> Mapping[str, BreakerState]:
        """By upstream key that was ever called, what its breaker does with the next call."""
        found: dict[str, BreakerState] = {}
        for transport in self.transports:
            found.update(transport.breakers())
        return found

    def quota(self, owner: str) -> float | None:
        """The share of an owner's hourly GitHub quota that is left, or None before GitHub said."""
        left = [transport.quota_left(f"github:{owner}") for transport in self.transports]
        return next((share for share in left if share is not None), None)

    def missing(self) -> Mapping[str, str]:
        """By upstream key, the credential that is missing."""
        held = self.vault.names
        found = {key: name for key, name in ALWAYS_NEEDED.items() if name not in held}
        owners = sorted({pool.owner for pool in self.settings.pools})
        if self.settings.github.credentials == "app" and "GITHUB_APP_PRIVATE_KEY" not in held:
            found.update({f"github:{owner}": "GITHUB_APP_PRIVATE_KEY" for owner in owners})
        elif isinstance(self.tokens, PublishedTokens | KeptTokens):
            found.update({f"github:{owner}": why for owner, why in self.tokens.missing(owners).items()})
        if "seal" in found:
            # Nothing can be handed out unsealed, so nothing may be minted.
            found.update({f"github:{owner}": found["seal"] for owner in owners})
        return found

    def tokens_left(self) -> Mapping[str, float]:
        """By name, seconds that each credential which is known to end has to live.

        GitHub's installation tokens bear the published ones' names in every mode.
        """
        pools = self.settings.pools
        owners = sorted({pool.owner for pool in pools})
        found: dict[str, float] = {}
        if isinstance(self.tokens, PublishedTokens):
            scopes = sorted({pool.scope for pool in pools if pool.registration != "jit"})
            found |= self.tokens.left(owners, scopes)
        elif isinstance(self.tokens, KeptTokens):
            left = self.tokens.left(owners)
            found |= {installation_token_name(owner): each for owner, each in left.items()}
        fly = self.vault.get(FLY_TOKEN)
        ends_at = None if fly is None else token_ends_at(fly)
        if ends_at is not None:
            found[FLY_TOKEN] = ends_at - self.clock.now()
        return found

    def ageing(self) -> Mapping[str, float]:
        """By name, seconds left of each credential that should have been replaced by now."""
        late = late_below(self.settings.timing)
        return {
            name: left
            for name, left in self.tokens_left().items()
            if left < (FLY_LATE_S if name == FLY_TOKEN else late)
        }

    async def prepare_tokens(self) -> None:
        """Get the GitHub tokens that an access mode gets for itself, so that ``missing`` can tell of them."""
        if isinstance(self.tokens, KeptTokens):
            await self.tokens.prepare(sorted({pool.owner for pool in self.settings.pools}))

    async def close(self) -> None:
        """Close every connection."""
        for transport in self.transports:
            await transport.aclose()


def connect(
    settings: Settings,
    clock: Clock,
    environ: Mapping[str, str],
    *,
    as_app: bool = False,
    inner: TransportFactory = network,
    observer: Callable[[CallRecord], None] | None = None,
) -> Connections:
    """Build the clients.

    Args:
        settings: fleet.toml.
        clock: the one clock.
        environ: where local credentials, and those that open Infisical, are.
        as_app: act as the GitHub App with a key from the local credentials, whatever ``github.credentials``
            says: the publisher, which keeps the key away from where the dispatcher reads.
        inner: makes what really sends.
        observer: told of every finished call.
    """
    timing, calls = settings.timing, CallTally()

    def finished(record: CallRecord) -> None:
        calls(record)
        if observer is not None:
            observer(record)

    def breaker() -> Breaker:
        return Breaker(window=timing.breaker_window, open_for=timing.breaker_open)

    def transport(upstream: str, key: Callable[[httpx.Request], str], pause: float) -> UpstreamTransport:
        return UpstreamTransport(
            upstream,
            inner(),
            clock,
            deadline=timing.upstream_deadline,
            breaker=breaker,
            key=key,
            observer=finished,
            pause=pause,
        )

    fly, github, infisical = (
        transport("fly", fly_key, timing.fly_pause),
        transport("github", github_key, timing.github_pause),
        transport("infisical", lambda _: "infisical", timing.github_pause),
    )
    local = _local(settings, environ)
    at_infisical = InfisicalCalls(
        settings.infisical, _method(settings, environ, local, clock), clock, infisical
    )
    source = InfisicalSecrets(at_infisical) if settings.fleet.secrets == "infisical" else local
    vault = Vault(source, clock, timing.credentials_period)
    keys = Vault(local, clock, timing.credentials_period) if as_app else vault
    classes = load_fleet_classes(settings.fleet.classes)
    fly_http = httpx.AsyncClient(transport=fly, timeout=None, trust_env=False)  # noqa: S113 - the transport's deadline
    provider = Provider(
        fly_http,
        clock,
        classes,
        token=lambda: vault.require(FLY_TOKEN),
        issuer=settings.fly.issuer,
        audience=settings.fleet.public_url,
        leeway=timing.clock_leeway,
        base_url=settings.fly.api_hostname,
    )
    signer = AppSigner(settings.github.app_id or "", lambda: keys.require("GITHUB_APP_PRIVATE_KEY"), clock)
    api_url, api_version = settings.github.api_url, settings.github.api_version
    scopes = [pool.scope for pool in settings.pools]
    minter = AppMinter(github, signer, clock, scopes=scopes, api_url=api_url, api_version=api_version)
    margin, leases = timing.token_refresh_margin, GitHubLeases(at_infisical)
    tokens: TokenSource = PublishedTokens(vault, clock)
    if as_app or settings.github.credentials == "app":
        tokens = AppTokens(minter, signer, clock, margin=margin)
    elif settings.github.credentials == "lease":
        tokens = LeasedTokens(leases.installation_token, clock, margin=margin)
    return Connections(
        settings=settings,
        clock=clock,
        vault=vault,
        keys=keys,
        source=source,
        provider=provider,
        github=GitHub(github, tokens, clock, api_url=api_url, api_version=api_version),
        tokens=tokens,
        minter=minter,
        leases=leases,
        probe=TokenProbe(github, clock, api_url=api_url, api_version=api_version),
        classes=classes,
        transports=(fly, github, infisical),
        fly_survey=FlySurvey(
            fly_http,
            clock,
            token=lambda: vault.require(FLY_TOKEN),
            base_url=settings.fly.api_hostname,
        ),
        github_survey=GitHubSurvey(
            Calls(
                github,
                tokens,
                clock,
                api_url=api_url,
                api_version=api_version,
                timeout=timing.upstream_deadline,
            )
        ),
        calls=calls,
    )


def _method(settings: Settings, environ: Mapping[str, str], local: SecretSource, clock: Clock) -> Method:
    """How this process proves to Infisical who it is."""
    if settings.infisical.auth == "universal":
        return UniversalAuth(local)
    own = OwnIdentity(clock, environ.get("FLY_API_SOCKET") or SOCKET)
    app = environ.get("FLY_APP_NAME", "")
    shared = app if any(app in pool.apps for pool in settings.pools) else ""
    return FlyOidc(settings.infisical.identity_id, settings.infisical.token_audience, own.token, shared)


def _local(settings: Settings, environ: Mapping[str, str]) -> SecretSource:
    if settings.fleet.secrets_file is not None:
        return FileSecrets(Path(settings.fleet.secrets_file))
    return EnvironmentSecrets(environ)
