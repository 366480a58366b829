"""What the doctor finds out about ``fleet.public_url``, asked from here."""

import asyncio
import socket
import ssl
from urllib.parse import urlsplit

import httpx

from runners.cli.doctor.facts import Answering, Unread
from runners.wire.health import Readiness

TIMEOUT_S = 8.0
_READY = "/readyz"


async def addresses(url: str) -> tuple[str, ...] | Unread:
    """What the URL's host resolves to."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await asyncio.get_running_loop().getaddrinfo(host, port)
    except TimeoutError:
        return Unread(f"the name server did not answer within {TIMEOUT_S:g} s")
    except (OSError, UnicodeError) as error:
        if isinstance(error, socket.gaierror) and error.errno == socket.EAI_AGAIN:
            return Unread("the name server could not be asked now")
        return Unread(f"no address is known for {host}", refused=True, next_step="make a DNS record for it")
    return tuple(sorted({str(entry[4][0]) for entry in found}))


async def answering(url: str) -> Answering | Unread:
    """Who answers GET /readyz below a base URL."""
    try:
        async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
            answer = await http.get(url.rstrip("/") + _READY)
    except httpx.HTTPError as error:
        return _silence(error)
    try:
        ready = Readiness.read(answer.content)
    except ValueError:
        return Answering(answer.status_code, "", "")
    return Answering(answer.status_code, ready.fleet, ready.instance, ready.not_ready)


def _silence(error: httpx.HTTPError) -> Unread:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "it failed"
            return Unread(
                f"TLS: {reason}", refused=True, next_step="mend the certificate; Machines and GitHub check it"
            )
        cause = cause.__cause__ or cause.__context__
    return Unread(f"nobody answers ({type(error).__name__})", next_step="start it with fly-gha serve")
