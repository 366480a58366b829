"""Preflight: what ``serve`` finds out before anything is booted, with the doctor's own checks.

What is definitely wrong, by an answer of Fly, GitHub or Infisical, ends ``serve`` with the key and the fix.
What cannot be read now is no reason: the dispatcher starts, tries again, and launches nothing for a pool of
which it has not read the runner group.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import httpx
import structlog

from runners.cli.doctor.asking import answer, granted, unread_because
from runners.cli.doctor.checks_fly import app_there, regions
from runners.cli.doctor.checks_github import group_trust, token_rights
from runners.cli.doctor.checks_ground import secrets_place
from runners.cli.doctor.facts import Facts, Unread
from runners.cli.doctor.finding import Finding, Verdict
from runners.connections import Connections
from runners.model.groups import ScopeSeen
from runners.model.settings import Settings
from runners.secrets.infisical_login import ATTEMPTED as LOGIN
from runners.secrets.interface import CredentialMissing, SourceRefused
from runners.upstream.errors import UpstreamError

log = structlog.get_logger()
T = TypeVar("T")


class NotFit(Exception):
    """What was found is so wrong that nothing may be booted; ``str()`` is a line and its fix for each."""

    def __init__(self, wrong: tuple[Finding, ...]) -> None:
        self.wrong = wrong
        lines = (f"  {each.about}: {each.detail}\n    next: {each.next_step}" for each in wrong)
        super().__init__("\n".join(("Nothing is started, for it could not serve:", *lines)))


@dataclass(frozen=True, slots=True)
class Preflight:
    """What was found out.

    Attributes:
        findings: a line of the doctor's for each thing that was looked at.
        scopes: by scope, who may use its runners, as far as it could be read.
    """

    findings: tuple[Finding, ...]
    scopes: Mapping[str, ScopeSeen]

    @property
    def wrong(self) -> tuple[Finding, ...]:
        """What is definitely wrong."""
        return tuple(each for each in self.findings if each.verdict is Verdict.FAILED)


async def preflight(connections: Connections) -> Preflight:
    """Ask everybody, for no longer than ``timing.upstream_deadline`` in all."""
    settings, clock = connections.settings, connections.clock
    end = clock.now() + settings.timing.upstream_deadline
    secrets = await _place(connections, end - clock.now())
    left = max(0.0, end - clock.now())
    fly, github = connections.fly_survey, connections.github
    scopes, apps, known_regions = await asyncio.gather(
        _each({pool.scope for pool in settings.pools}, github.scope_seen, left),
        _each({app for pool in settings.pools for app in pool.apps}, fly.app, left),
        _within(left, fly.regions()),
    )
    scopes = {scope: _renewable(settings, found) for scope, found in scopes.items()}
    facts = Facts(
        now=clock.now(),
        settings=settings,
        where=connections.vault.where,
        secrets=secrets,
        credentials=(),
        database=Unread("not asked"),
        scopes=scopes,
        granted=granted(connections),
        fly_apps=apps,
        fly_regions=known_regions,
    )
    seen = {scope: found for scope, found in scopes.items() if not isinstance(found, Unread)}
    return Preflight(_judged(facts), seen)


def report(found: Preflight, *, observe: bool) -> None:
    """Log what could not be read, and refuse to go on with what is wrong.

    Args:
        found: by ``preflight``.
        observe: nothing is booted anyway, so what is wrong is a warning too.

    Raises:
        NotFit: something is definitely wrong.
    """
    for each in found.findings:
        if each.verdict is Verdict.UNKNOWN or (observe and each.verdict is Verdict.FAILED):
            log.warning(
                "preflight.not_ok", about=each.about, verdict=str(each.verdict), detail=each.detail,
                next_step=each.next_step,
            )  # fmt: skip
    if found.wrong and not observe:
        raise NotFit(found.wrong)


def _judged(facts: Facts) -> tuple[Finding, ...]:
    settings = facts.settings
    return (
        secrets_place(facts),
        *(token_rights(facts, owner) for owner in facts.granted),
        *(group_trust(facts, pool) for pool in settings.pools),
        *(app_there(facts, app) for app in facts.fly_apps),
        regions(facts),
    )


def _renewable(settings: Settings, found: ScopeSeen | Unread) -> ScopeSeen | Unread:
    """A published token that GitHub takes no more is the publisher's to renew, and is waited for."""
    if isinstance(found, Unread) and found.status == httpx.codes.UNAUTHORIZED:
        return replace(found, refused=settings.github.credentials == "app")
    return found


async def _place(connections: Connections, seconds: float) -> Unread | None:
    """Read the credentials; None when that went well."""
    settings = connections.settings
    try:
        async with asyncio.timeout(seconds):
            await connections.vault.refresh()
    except TimeoutError:
        return Unread(f"{connections.vault.where} did not answer within {seconds:g} s")
    except CredentialMissing as missing:
        # What opens the place is in this process's own environment or file: nobody will bring it.
        return Unread(str(missing), refused=True, next_step=missing.next_step)
    except (UpstreamError, SourceRefused) as error:
        return _login_kept(settings, error, unread_because(error))
    return None


def _login_kept(settings: Settings, error: UpstreamError | SourceRefused, found: Unread) -> Unread:
    """A login that Infisical refused does not end us: whoever starts us again would log in again.

    Three refusals lock the client id for everybody who has it. We ask again in ten minutes, or at once with
    another secret, and boot nothing meanwhile, having no credential for it.
    """
    if settings.infisical.auth != "universal" or not isinstance(error, UpstreamError):
        return found
    refused = error.attempted == LOGIN and error.status is not None
    return replace(found, refused=False) if refused else found


async def _each(
    names: Iterable[str], ask: Callable[[str], Awaitable[T]], seconds: float
) -> dict[str, T | Unread]:
    asked = sorted(names)
    said = await asyncio.gather(*(_within(seconds, ask(name)) for name in asked))
    return dict(zip(asked, said, strict=True))


async def _within(seconds: float, asked: Awaitable[T]) -> T | Unread:
    try:
        async with asyncio.timeout(seconds):
            return await answer(asked)
    except TimeoutError:
        return Unread("it did not answer in time")
