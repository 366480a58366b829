"""Asking: what somebody said, or why nothing was said, written down alike for doctor and serve."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from typing import TypeVar

from runners.cli.doctor.facts import SECRETS_PLACE, Unread
from runners.connections import Connections
from runners.secrets.github_tokens import PublishedTokens
from runners.secrets.infisical_answers import UPSTREAM as INFISICAL
from runners.secrets.interface import NOTHING_READ, CredentialMissing, SourceRefused
from runners.secrets.names import installation_token_name
from runners.secrets.published_token import NotAPublishedToken, read_published
from runners.upstream.errors import ErrorClass, UpstreamError

T = TypeVar("T")
_SAID_NO = (ErrorClass.REFUSED, ErrorClass.NOT_FOUND, ErrorClass.OUR_FAULT)


async def answer(asked: Awaitable[T]) -> T | Unread:
    """What was said, or why nothing was."""
    try:
        return await asked
    except (UpstreamError, CredentialMissing, SourceRefused) as error:
        return unread_because(error)


async def answers(names: Iterable[str], ask: Callable[[str], Awaitable[T]]) -> dict[str, T | Unread]:
    """By name, what was said to each; all are asked at once."""
    asked = tuple(names)
    said = await asyncio.gather(*(answer(ask(name)) for name in asked))
    return dict(zip(asked, said, strict=True))


def unread_because(error: UpstreamError | CredentialMissing | SourceRefused) -> Unread:
    """Why nothing was said: somebody said no, or nobody can say."""
    if isinstance(error, CredentialMissing):
        # Why the place cannot be read is told once, where it is looked at, and not for each credential in it.
        step = f"mend {SECRETS_PLACE}" if error.why == NOTHING_READ else error.next_step
        return Unread(f"{error.name}: {error.why}", next_step=step)
    if isinstance(error, SourceRefused):
        return Unread(f"{error.where} is not used: {error.why}", refused=True, next_step=error.next_step)
    return Unread(
        error.told,
        refused=error.error_class in _SAID_NO,
        next_step=error.next_step,
        # Not so when Infisical, which was asked for the credential first, does not know its secret.
        status=error.status,
        missing=error.error_class is ErrorClass.NOT_FOUND and error.upstream != INFISICAL,
    )


def granted(connections: Connections) -> dict[str, Mapping[str, str]]:
    """By owner whose published token says so, the permissions that it was made with."""
    found: dict[str, Mapping[str, str]] = {}
    for owner in sorted({pool.owner for pool in connections.settings.pools}):
        value = connections.vault.get(installation_token_name(owner))
        if value is None or not isinstance(connections.tokens, PublishedTokens):
            continue
        with suppress(NotAPublishedToken):
            published = read_published(value)
            if published.permissions:
                found[owner] = published.permissions
    return found
