"""Caller: who asks, and Identity, the interface by which a credential becomes one.

Today a credential is a bearer token of our own, or nothing at all for the local agent on standard input. An
OAuth or JWT verifier joins by implementing ``Identity``: the checkpoint knows nothing else of credentials.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from pydantic import SecretStr


class Scope(StrEnum):
    """What a caller may ask about; none implies another, and every one of them only reads."""

    CAPACITY = "capacity"
    """The fleet, its pools, and whether jobs may be queued now."""
    JOBS = "jobs"
    """Jobs, the queue, runners."""
    AUDIT = "audit"
    """The fleet's events and incidents."""
    USAGE = "usage"
    """Minutes and money."""
    STATS = "stats"
    """This server's own calls."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What may be seen; empty means everything. It is sent with every question to the dispatcher.

    Attributes:
        repositories: ``owner/name`` patterns, sorted.
        pools: names, sorted.
    """

    repositories: tuple[str, ...] = ()
    pools: tuple[str, ...] = ()

    @property
    def everything(self) -> bool:
        """Whether nothing is hidden."""
        return not self.repositories and not self.pools


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks.

    Attributes:
        id: names them in audit records and rate limits; for a token its id.
        name: what a person calls them.
        project: whose ceiling they share.
        scopes: what they may ask about.
        sight: what they may see.
        tools: names of the only tools they may call; empty means every tool of their scopes.
    """

    id: str
    name: str
    project: str
    scopes: frozenset[Scope]
    sight: Sight = Sight()
    tools: frozenset[str] = frozenset()


class Identity(Protocol):
    """Makes a Caller of a credential."""

    async def identify(self, credential: SecretStr | None, now: float) -> Caller:
        """Who this is.

        Args:
            credential: what the caller presented, without its scheme; None for nothing.
            now: Unix seconds.

        Raises:
            Refused: TOKEN_MISSING, TOKEN_UNKNOWN or TOKEN_ENDED.
        """
