"""The OIDC token of the Machine this process runs on, from the unix socket that Fly's init serves in it.

``POST /v1/tokens/oidc`` with ``{"aud": …}`` answers the token as plain text (Fly's documentation). Every
process of the Machine that reaches the socket can do this, job code on a runner's Machine too.
"""

import re
from pathlib import Path

import httpx

from fly.errors import FlyBadAnswer, FlyNoSocket, FlyUnanswered
from fly.refusals import classify, read_refusal

SOCKET = "/.fly/api"
DEADLINE_S = 5.0

_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_GOOD = 200


async def mint_own_token(socket: str, audience: str, *, deadline: float = DEADLINE_S) -> str:
    """Return a new token that tells ``audience`` which Machine this is; Fly's example lives for ten minutes.

    Args:
        socket: path of the socket, ``/.fly/api`` on a Machine.
        audience: its ``aud``.
        deadline: seconds for each of connecting and reading.

    Raises:
        FlyNoSocket: there is none, so this is no Fly Machine.
        FlyError: it gave no token.
    """
    attempted = f"get this Machine's OIDC token from {socket}"
    if not _is_socket(socket):
        raise FlyNoSocket(attempted)
    transport = httpx.AsyncHTTPTransport(uds=socket)
    try:
        async with httpx.AsyncClient(transport=transport, timeout=deadline, trust_env=False) as http:
            answer = await http.post("http://localhost/v1/tokens/oidc", json={"aud": audience})
    except httpx.RequestError as error:
        raise FlyUnanswered(attempted) from error
    if answer.status_code != _GOOD:
        code, text = read_refusal(answer.content, answer.headers.get("content-type", ""))
        raise classify(answer.status_code, code, text)(
            attempted, status=answer.status_code, code=code, text=text
        )
    token = answer.text.strip()
    if not _JWT.fullmatch(token):
        raise FlyBadAnswer(attempted, status=_GOOD, text="it is no token")
    return token


def _is_socket(path: str) -> bool:
    try:
        return Path(path).is_socket()
    except OSError:
        return False
