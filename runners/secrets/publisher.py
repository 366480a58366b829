"""The publisher's one pass: see which ephemeral GitHub tokens are there, renew those that are soon stale.

It alone holds the App key; the dispatcher finds narrow tokens that die within the hour. A pass reads before
it mints, so it may be stopped and started at any time, and one owner's failure does not keep another's token
from being renewed. A token that was revoked looks as fresh as any, so GitHub is asked with each pass.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import SecretStr

from runners.model.settings import PoolSettings
from runners.secrets.interface import AppTokens, CredentialMissing, WritableSource
from runners.secrets.names import installation_token_name, registration_token_name
from runners.secrets.published_token import NotAPublishedToken, PublishedToken, read_published
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

# What watching runs and jobs takes, whatever the scope (GitHub's documentation of permissions).
WATCHING: Mapping[str, str] = {"actions": "read", "metadata": "read"}
# What managing runners takes, by kind of scope.
MANAGING: Mapping[str, Mapping[str, str]] = {
    "orgs": {"organization_self_hosted_runners": "write"},
    "repos": {"administration": "write"},
}


class Outcome(StrEnum):
    """What a pass did about one token."""

    KEPT = "kept"
    """What is there lives long enough."""
    RENEWED = "renewed"
    """A new one was minted and written."""
    FAILED = "failed"
    """It needs renewing and could not be; the next pass tries again."""


@dataclass(frozen=True, slots=True)
class TokenReport:
    """One token after a pass.

    Attributes:
        name: the secret's name.
        target: the owner of an installation token, the scope of a registration token.
        expires_at: Unix seconds, of what is now stored; None when nothing usable is.
        why: why it was renewed, or why that failed; never a value.
    """

    name: str
    target: str
    outcome: Outcome
    expires_at: float | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What one pass did.

    Attributes:
        at: when it began, Unix seconds.
        renew_at: when the first token will need renewing, Unix seconds; ``at`` itself after a failure.
    """

    at: float
    renew_at: float
    tokens: tuple[TokenReport, ...]

    @property
    def failed(self) -> tuple[TokenReport, ...]:
        """The tokens that could not be renewed."""
        return tuple(token for token in self.tokens if token.outcome is Outcome.FAILED)

    @property
    def renewed(self) -> tuple[TokenReport, ...]:
        """The tokens that were minted and written."""
        return tuple(token for token in self.tokens if token.outcome is Outcome.RENEWED)


class NamesCollide(ValueError):
    """Two targets would be written to one secret, so neither may be."""


@dataclass(frozen=True, slots=True)
class _Target:
    """One token to keep fresh; ``permissions`` is empty for a registration token."""

    name: str
    target: str
    permissions: Mapping[str, str]


async def publish_once(
    pools: Iterable[PoolSettings], *, app: AppTokens, secrets: WritableSource, clock: Clock, margin: float
) -> PublishResult:
    """Keep the tokens that the pools need fresh.

    An installation token per owner; a registration token per scope with a pool that registers by token.

    Args:
        pools: whose owners and scopes need tokens; at least one.
        app: mints, with the App's key.
        secrets: where tokens are read and written.
        clock: what ends of tokens are compared with.
        margin: seconds; a token with more than this to live is left alone.

    Raises:
        NamesCollide: two targets have the same secret name.
        UpstreamError, SourceRefused, CredentialMissing: what is there could not be read; nothing was minted.
    """
    targets = _targets(tuple(pools))
    at = clock.now()
    there = await secrets.read()
    reports = []
    for target in targets:
        stored = _stored(there.get(target.name))
        why = _why_renew(stored, target, clock.now(), margin)
        if stored is not None and not why and target.permissions and await app.refuses(stored.token):
            why = "GitHub refuses it before its time"
        if stored is not None and not why:
            reports.append(TokenReport(target.name, target.target, Outcome.KEPT, stored.expires_at))
        else:
            reports.append(await _renew(target, why, stored, app, secrets))
    return PublishResult(at, min(_due(report, at, margin) for report in reports), tuple(reports))


def _due(report: TokenReport, at: float, margin: float) -> float:
    """When a token needs the next pass; one that could not be renewed needs it now, even while it lives."""
    if report.outcome is Outcome.FAILED or report.expires_at is None:
        return at
    return max(at, report.expires_at - margin)


def _targets(pools: tuple[PoolSettings, ...]) -> tuple[_Target, ...]:
    # GitHub's names differ by more than case: acme and Acme are one owner, called as it is spelt first.
    owners: dict[str, str] = {}
    permissions: dict[str, dict[str, str]] = {}
    scopes: dict[str, str] = {}
    for pool in pools:
        owner = owners.setdefault(pool.owner.lower(), pool.owner)
        permissions.setdefault(owner, dict(WATCHING)).update(MANAGING[pool.scope.split("/")[0]])
        if pool.registration != "jit":
            scopes.setdefault(pool.scope.lower(), pool.scope)
    targets = [
        _Target(installation_token_name(owner), owner, wanted) for owner, wanted in permissions.items()
    ]
    targets += [_Target(registration_token_name(scope), scope, {}) for scope in scopes.values()]
    by_name: dict[str, str] = {}
    for one in targets:
        if (other := by_name.setdefault(one.name, one.target)) != one.target:
            raise NamesCollide(
                f"{other} and {one.target} would both be written to {one.name}; "
                "serve one of them from a fleet with an Infisical folder of its own"
            )
    return tuple(targets)


def _stored(value: SecretStr | None) -> PublishedToken | None:
    if value is None:
        return None
    try:
        return read_published(value)
    except NotAPublishedToken:
        return None


def _why_renew(stored: PublishedToken | None, target: _Target, now: float, margin: float) -> str:
    if stored is None:
        return "none was there"
    if dict(stored.permissions) != dict(target.permissions):
        return "its permissions are not those the pools need now"
    left = stored.left(now)
    return "" if left > margin else f"{left:.0f} s were left"


async def _renew(
    target: _Target, why: str, stored: PublishedToken | None, app: AppTokens, secrets: WritableSource
) -> TokenReport:
    try:
        if target.permissions:
            token, expires_at = await app.installation_token(target.target, target.permissions)
        else:
            token, expires_at = await app.registration_token(target.target)
        await secrets.write(target.name, PublishedToken(token, expires_at, target.permissions).to_secret())
    except (UpstreamError, CredentialMissing) as failure:
        still = stored.expires_at if stored is not None else None
        return TokenReport(target.name, target.target, Outcome.FAILED, still, str(failure))
    return TokenReport(target.name, target.target, Outcome.RENEWED, expires_at, why)
