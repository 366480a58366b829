"""What the rest of the fleet knows of credentials: a source to read, and a Vault that remembers.

The Vault keeps the last good reading: an Infisical that is down for an hour stops nothing that runs, it only
makes the reading old, which `age` tells. A value is a SecretStr from the moment it is
read; no error, repr or event made here holds one.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from pydantic import SecretStr

from runners.upstream.clock import Clock

# A reading is late, not stale, while one or two passes have failed.
STALE_AFTER_PERIODS = 3
NOTHING_READ = "nothing could be read yet"


class SecretSource(Protocol):
    """Somewhere credentials can be read, all at once."""

    @property
    def where(self) -> str:
        """The place in words an operator can act on: ``the environment``, ``Infisical folder / of …``."""
        ...

    async def read(self) -> Mapping[str, SecretStr]:
        """Every credential there, by name.

        Raises:
            UpstreamError: the place could not be reached, or refused.
            SourceRefused: the place is not fit to hold secrets.
            CredentialMissing: what opens the place is missing.
        """
        ...


class WritableSource(SecretSource, Protocol):
    """A source whose credentials can also be replaced: what the publisher writes to."""

    async def write(self, name: str, value: SecretStr) -> None:
        """Create the secret or replace its value.

        Raises:
            UpstreamError: it was not written, or, with ``answered`` false, perhaps it was.
        """
        ...


class AppTokens(Protocol):
    """What only the holder of the GitHub App's key can get; the publisher's side of GitHub."""

    async def refuses(self, token: SecretStr) -> bool:
        """Whether GitHub no longer takes an installation token; False while it cannot be asked."""
        ...

    async def installation_token(self, owner: str, permissions: Mapping[str, str]) -> tuple[SecretStr, float]:
        """A token of the owner's installation, narrowed to these permissions, and its end in Unix seconds.

        Raises:
            UpstreamError: GitHub refused, or could not be reached.
            CredentialMissing: there is no App key.
        """
        ...

    async def registration_token(self, scope: str) -> tuple[SecretStr, float]:
        """A registration token for ``orgs/NAME`` or ``repos/OWNER/NAME``, and its end in Unix seconds.

        Raises:
            UpstreamError: GitHub refused, or could not be reached.
            CredentialMissing: there is no App key.
        """
        ...


class CredentialMissing(Exception):
    """A credential that is needed is not there, or is there and of no use.

    Attributes:
        name: the credential's name.
        where: the place that was looked in.
        next_step: what to do about it.
        why: what is wrong with it: ``it is not there``, ``it expired 40 s ago``.
    """

    def __init__(self, name: str, where: str, next_step: str, why: str = "it is not there") -> None:
        super().__init__(name, where, next_step, why)
        self.name = name
        self.where = where
        self.next_step = next_step
        self.why = why

    def __str__(self) -> str:
        """All of it in one line."""
        return f"credential {self.name}: {self.why} (looked in {self.where}); next: {self.next_step}"


class SourceRefused(Exception):
    """A place that must not be used for secrets as it is, or that cannot be read.

    Attributes:
        where: the place.
        why: what is wrong with it.
        next_step: how to put it right.
    """

    def __init__(self, where: str, why: str, next_step: str) -> None:
        super().__init__(where, why, next_step)
        self.where = where
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        """All of it in one line."""
        return f"{self.where} is not used: {self.why}; next: {self.next_step}"


class Vault:
    """The last good reading of a source, and how old it is.

    Args:
        source: where credentials are read.
        clock: tells the age of the reading.
        period: seconds between two refreshes; three missed ones make the reading stale.
    """

    def __init__(self, source: SecretSource, clock: Clock, period: float) -> None:
        self._source = source
        self._clock = clock
        self._period = period
        self._values: dict[str, SecretStr] = {}
        self._read_at: float | None = None
        self._failure: Exception | None = None
        self._one_at_a_time = asyncio.Lock()

    @property
    def where(self) -> str:
        """The place credentials are read from."""
        return self._source.where

    @property
    def names(self) -> frozenset[str]:
        """The credentials that are there and not empty."""
        return frozenset(self._values)

    @property
    def age(self) -> float | None:
        """Seconds since the last good reading; None before the first."""
        return None if self._read_at is None else self._clock.now() - self._read_at

    @property
    def stale(self) -> bool:
        """Whether refreshing has failed for so long that somebody should look."""
        age = self.age
        return age is None or age > STALE_AFTER_PERIODS * self._period

    @property
    def failure(self) -> Exception | None:
        """Why the latest refresh failed, or None when it did not."""
        return self._failure

    def get(self, name: str) -> SecretStr | None:
        """The credential of the last good reading, or None; an empty value is none."""
        return self._values.get(name)

    def require(self, name: str) -> SecretStr:
        """The credential of the last good reading.

        Raises:
            CredentialMissing: it is not there, is empty, or nothing could be read yet.
        """
        value = self._values.get(name)
        if value is not None:
            return value
        if self._read_at is None:
            why = NOTHING_READ
            step = str(self._failure) if self._failure is not None else "wait for the first reading"
            raise CredentialMissing(name, self.where, step, why)
        raise CredentialMissing(
            name, self.where, f"put {name} there; it is noticed within {self._period:g} s"
        )

    async def refresh(self) -> frozenset[str]:
        """Read the source; returns the names whose value appeared, changed or went away.

        Whatever it raises, the last good reading stays in use and :attr:`failure` says why.

        Raises:
            UpstreamError, SourceRefused, CredentialMissing: as the source does.
        """
        async with self._one_at_a_time:
            asked_at = self._clock.now()
            try:
                reading = await self._source.read()
            except Exception as failure:
                self._failure = failure
                raise
            values = {name: value for name, value in reading.items() if value.get_secret_value().strip()}
            changed = {
                name
                for name in values.keys() | self._values.keys()
                if values.get(name) != self._values.get(name)
            }
            self._values, self._read_at, self._failure = values, asked_at, None
            return frozenset(changed)
