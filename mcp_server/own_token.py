"""OwnToken: the dispatcher token of this server, from the environment or from a file that may be replaced."""

from pathlib import Path

from pydantic import SecretStr

from mcp_server.credentials import DISPATCHER_TOKEN
from mcp_server.refused import Refused
from mcp_server.settings import PREFIX, StatusSettings
from mcp_server.view.dispatcher import Dispatcher

_LONGEST = 4096
_READ = "read"
_STRONGER = ("operate", "admin")


class TokenUnusable(Exception):
    """There is no dispatcher token, or it cannot be one; the message says what to do."""


class OwnToken:
    """Gives the token; a file is read again when it has changed, so a new token needs no restart.

    Args:
        settings: where it is.

    Raises:
        TokenUnusable: at the first look. Later the last good token stays in force.
    """

    def __init__(self, settings: StatusSettings) -> None:
        self._path = settings.token_file
        self._stamp: tuple[int, int, int] | None = None
        if settings.token is not None and self._path is not None:
            raise TokenUnusable(f"both {PREFIX}TOKEN and {PREFIX}TOKEN_FILE are set: leave one of them out")
        if self._path is not None:
            self._token = self._read(self._path)
        elif settings.token is not None:
            self._token = _checked(settings.token.get_secret_value(), f"{PREFIX}TOKEN")
        else:
            raise TokenUnusable(
                "there is no dispatcher token: make one with `fly-gha token create --scope read` and give "
                f"its file as {PREFIX}TOKEN_FILE, or its text as {PREFIX}TOKEN"
            )

    def __call__(self) -> SecretStr:
        """The token as it is now."""
        if self._path is not None:
            try:
                self._token = self._read(self._path)
            except TokenUnusable:
                # Somebody is writing the file at this moment, or got it wrong; the dispatcher will say so.
                return self._token
        return self._token

    def _read(self, path: Path) -> SecretStr:
        try:
            found = path.stat()
            stamp = (found.st_mtime_ns, found.st_ino, found.st_size)
            if stamp == self._stamp:
                return self._token
            text = path.read_bytes()[:_LONGEST].decode("ascii", errors="replace")
        except OSError as error:
            raise TokenUnusable(f"the token file {path} cannot be read: {error.strerror}") from error
        token = _checked(text.strip(), f"the token file {path}")
        self._stamp = stamp
        return token


def _checked(text: str, where: str) -> SecretStr:
    if not DISPATCHER_TOKEN.fullmatch(text):
        raise TokenUnusable(
            f"{where} does not hold a dispatcher token, which begins with fgr_: "
            "`fly-gha token create --scope read` makes one"
        )
    return SecretStr(text)


async def too_strong(dispatcher: Dispatcher) -> str | None:
    """What the dispatcher lets this server's token do beyond reading, in words; None when that is nothing.

    None as well when nobody can tell now: the dispatcher is away, or older than the question.
    """
    try:
        scopes = set((await dispatcher.own_token()).scopes)
    except Refused:
        return None
    if scopes <= {_READ}:
        return None
    more = [scope for scope in _STRONGER if scope in scopes] or ["do more than read"]
    return f"the dispatcher token has the scope {' and '.join(more)} besides {_READ}"
