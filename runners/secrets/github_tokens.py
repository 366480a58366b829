"""GitHub access in ``published`` mode: the tokens that ``fly-gha tokens publish`` keeps fresh in the Vault.

The dispatcher holds no App key, so an old token means that the publisher is not doing its work; that is said
as a missing credential with the way out, before GitHub says 401 to a call that matters.
"""

from collections.abc import Iterable
from contextlib import suppress

from pydantic import SecretStr

from runners.secrets.interface import CredentialMissing, SourceRefused, Vault
from runners.secrets.names import installation_token_name, registration_token_name
from runners.secrets.published_token import NotAPublishedToken, PublishedToken, read_published
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

# A call has a deadline of 10 s and a Machine registers some seconds after it was handed its token.
USABLE_MARGIN_S = 60.0

# A refusal has the Vault read anew at most this often: a publisher needs longer to notice and to mint.
READ_AGAIN_S = 10.0

PUBLISHER_STEP = "check that fly-gha tokens publish runs, for this owner, and writes to the same place"


class PublishedTokens:
    """Installation and registration tokens from the Vault's last good reading; no call is ever made.

    Args:
        vault: holds them under the names of :mod:`runners.secrets.names`.
        clock: what ``expires_at`` is compared with.
        margin: a token with fewer seconds than this to live is no longer used.
    """

    def __init__(self, vault: Vault, clock: Clock, margin: float = USABLE_MARGIN_S) -> None:
        self._vault = vault
        self._clock = clock
        self._margin = margin
        self._read_again_at = 0.0

    async def token(self, owner: str) -> SecretStr:
        """The installation token of an owner.

        Raises:
            CredentialMissing: it is not there, is no published token, has expired or is about to.
        """
        return self._usable(installation_token_name(owner)).token

    async def renew(self, owner: str, refused: SecretStr) -> SecretStr | None:
        """A token other than the one GitHub refused, from a new reading of the Vault; None without another.

        A token that was replaced before its time is so noticed with the first refusal, and not a period
        later.

        Raises:
            CredentialMissing: as ``token``.
        """
        if (current := await self.token(owner)) != refused:
            return current
        now = self._clock.now()
        if now < self._read_again_at:
            return None
        self._read_again_at = now + READ_AGAIN_S
        with suppress(UpstreamError, CredentialMissing, SourceRefused):  # the Vault remembers why
            await self._vault.refresh()
        return current if (current := await self.token(owner)) != refused else None

    async def registration_token(self, scope: str) -> SecretStr | None:
        """The registration token of a scope, or None when none is published for it.

        Without one the caller may mint its own with the installation token, at the price of one write.

        Raises:
            CredentialMissing: it is published, but no token, expired or about to: the publisher has stopped.
        """
        name = registration_token_name(scope)
        return self._usable(name).token if self._vault.get(name) is not None else None

    async def app_jwt(self) -> SecretStr | None:
        """None: in this mode nobody here can sign as the App."""
        return None

    def left(self, owners: Iterable[str], scopes: Iterable[str]) -> dict[str, float]:
        """By secret, seconds that each published token has to live; what is no token is absent.

        Args:
            owners: whose installation tokens.
            scopes: whose registration tokens.
        """
        names = [*map(installation_token_name, owners), *map(registration_token_name, scopes)]
        now, found = self._clock.now(), {}
        for name in names:
            value = self._vault.get(name)
            with suppress(NotAPublishedToken):
                if value is not None:
                    found[name] = read_published(value).left(now)
        return found

    def missing(self, owners: Iterable[str]) -> dict[str, str]:
        """By owner, in one line, which credential is missing and why; owners that have theirs are absent."""
        found: dict[str, str] = {}
        for owner in owners:
            try:
                self._usable(installation_token_name(owner))
            except CredentialMissing as missing:
                found[owner] = f"{missing.name}: {missing.why}; next: {missing.next_step}"
        return found

    def _usable(self, name: str) -> PublishedToken:
        try:
            published = read_published(self._vault.require(name))
        except NotAPublishedToken as wrong:
            raise CredentialMissing(name, self._vault.where, PUBLISHER_STEP, str(wrong)) from None
        except CredentialMissing as missing:
            if missing.why == "it is not there":
                raise CredentialMissing(name, missing.where, PUBLISHER_STEP) from None
            raise
        left = published.left(self._clock.now())
        if left <= 0:
            raise CredentialMissing(
                name, self._vault.where, PUBLISHER_STEP, f"it expired {abs(left):.0f} s ago"
            )
        if left < self._margin:
            raise CredentialMissing(
                name, self._vault.where, PUBLISHER_STEP, f"it expires in {left:.0f} s and was not renewed"
            )
        return published
