"""Who this process itself is at Fly: the token of the Machine that it runs on, in the fleet's words."""

from pydantic import SecretStr

from fly.errors import FlyError
from fly.own_token import SOCKET, mint_own_token
from machines.meanings import as_upstream_error
from runners.upstream.clock import Clock

__all__ = ["SOCKET", "OwnIdentity"]


class OwnIdentity:
    """Proves to others which Machine this is.

    Args:
        clock: what relative waits in Fly's answers count from.
        socket: path of the socket of Fly's init.
    """

    def __init__(self, clock: Clock, socket: str = SOCKET) -> None:
        self._clock = clock
        self._socket = socket

    async def token(self, audience: str) -> SecretStr:
        """A new OIDC token for one audience.

        Raises:
            UpstreamError: this is no Fly Machine, or Fly gave no token.
        """
        try:
            return SecretStr(await mint_own_token(self._socket, audience))
        except FlyError as error:
            raise as_upstream_error(error, now=self._clock.now(), mutating=False) from error
