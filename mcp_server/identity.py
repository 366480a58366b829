"""Who callers are: bearers of our tokens, or the one local agent on standard input."""

from pathlib import Path

import structlog
from pydantic import SecretStr

from mcp_server.caller import Caller, Scope, Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.token_file import Stamp, TokenFile, TokensUnusable
from mcp_server.tokens import Token, presented

log = structlog.get_logger()

# A file that could not be read is tried again, at most so often (seconds): the next caller should not pay.
RETRY_S = 1.0
LOCAL = "local"
_ATTEMPTED = "identify the caller"
_NEW_TOKEN = "ask the operator for a token: fly-gha-status token create"  # noqa: S105 - a sentence


class TokenIdentity:
    """Knows callers by the tokens in a file, which it reads again whenever it has changed.

    Each call looks whether it has, so a token that is revoked opens nothing from then on, without a restart.
    When the file turns to garbage or vanishes, the last good reading stays in force and ``problem`` says so.

    Args:
        path: the token file.
    """

    def __init__(self, path: Path) -> None:
        self._file = TokenFile(path)
        self._known: dict[str, tuple[Token, Caller]] | None = None
        self._stamp: Stamp | None = None
        self._tried_at: float | None = None
        self._problem: str | None = None

    @property
    def readable(self) -> bool:
        """Whether there is any reading, be it an old one: without, nobody can be told from anybody."""
        return self._known is not None

    def problem(self, now: float) -> str | None:
        """What is wrong with the file at this moment, in words for an operator, or None."""
        self._refresh(now)
        return self._problem

    async def identify(self, credential: SecretStr | None, now: float) -> Caller:
        """Who bears this token.

        Raises:
            Refused: TOKEN_MISSING, TOKEN_UNKNOWN, TOKEN_ENDED; or TOKENS_UNREADABLE, when nobody can tell.
        """
        if credential is None or not credential.get_secret_value():
            raise Refused(
                Rule.TOKEN_MISSING,
                cause="no token was presented",
                attempted=_ATTEMPTED,
                missing="the header Authorization: Bearer fgs_…",
                next_step=_NEW_TOKEN,
            )
        given = presented(credential)
        if given is None:
            raise Refused(
                Rule.TOKEN_UNKNOWN,
                cause="the token does not have the form fgs_<id>_<secret>",
                attempted=_ATTEMPTED,
                next_step="send a token of this server; tokens of the dispatcher, GitHub or Fly open nothing",
            )
        self._refresh(now)
        if self._known is None:
            raise Refused(
                Rule.TOKENS_UNREADABLE,
                cause="the file with the tokens cannot be read",
                attempted=_ATTEMPTED,
                missing="a readable token file",
                next_step="tell the operator: /healthz and the server's log say what is wrong with it",
            )
        token, caller = self._known.get(given.id, (None, None))
        if not given.proves(None if token is None else token.secret_hash) or token is None or caller is None:
            raise Refused(
                Rule.TOKEN_UNKNOWN,
                cause="the token is not known here",
                attempted=_ATTEMPTED,
                next_step=_NEW_TOKEN,
            )
        if not token.valid(now):
            raise Refused(
                Rule.TOKEN_ENDED,
                cause="the token has expired or was revoked",
                attempted=_ATTEMPTED,
                next_step=_NEW_TOKEN,
            )
        return caller

    def _refresh(self, now: float) -> None:
        """Read the file if it is not what was read last."""
        try:
            stamp = self._file.stamp()
            if self._tried_at is not None and stamp == self._stamp and not self._again(now):
                return
            # Noted before reading: a change during it is seen by the next look.
            self._stamp, self._tried_at = stamp, now
            self._take(self._file.read())
        except TokensUnusable as unusable:
            self._tried_at = now
            # Anybody may ask for health: where the file is, only the log says.
            self._report(f"the token file cannot be used: {unusable.why}", told=str(unusable))

    def _take(self, tokens: tuple[Token, ...] | None) -> None:
        if tokens is None and self._known:
            self._report("the token file is gone; the tokens that were read last stay in force")
            return
        self._known = {token.id: (token, token.caller()) for token in tokens or ()}
        none = "there is no token file yet; nobody can call until fly-gha-status token create made one"
        self._report(none if tokens is None else None)

    def _again(self, now: float) -> bool:
        """Whether a file that could not be read is due another try."""
        since = now - (self._tried_at or 0.0)
        return self._problem is not None and not 0 <= since < RETRY_S

    def _report(self, problem: str | None, *, told: str = "") -> None:
        if problem == self._problem:
            return
        self._problem = problem
        if problem is None:
            log.info("tokens_readable")
        else:
            log.warning("tokens_unusable", why=told or problem)


class LocalIdentity:
    """The one caller on standard input: whoever started this process, with no credential.

    Args:
        sight: what they may see; usually everything that the dispatcher token shows.
        scopes: what they may ask about; everything when left out.
    """

    def __init__(self, sight: Sight | None = None, scopes: frozenset[Scope] = frozenset(Scope)) -> None:
        self._caller = Caller(LOCAL, LOCAL, LOCAL, scopes, sight or Sight())

    async def identify(self, credential: SecretStr | None, now: float) -> Caller:  # noqa: ARG002 - see Identity
        """The local agent."""
        return self._caller
