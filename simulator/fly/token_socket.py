"""The unix socket that Fly's init serves inside a Machine: POST /v1/tokens/oidc gives a raw JWT.

A handful of HTTP is written out here rather than served by a web framework: every Machine has its own socket,
and sixty of them must cost next to nothing.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path

from simulator.fly.refusals import FlyRefusal

# sun_path holds 104 bytes on macOS and 108 on Linux.
LONGEST_PATH = 100
LARGEST_BODY = 64 * 1024
TOKEN_PATH = "/v1/tokens/oidc"  # noqa: S105 - a path
# A client that connects and says nothing does not hold a Machine's teardown up.
READ_DEADLINE_S = 10.0

Mint = Callable[[str | None], str]


async def serve_tokens(path: Path, mint: Mint) -> asyncio.Server:
    """Serve the token socket at a path.

    Args:
        path: where the socket is made; its directory exists.
        mint: gives a token for an audience (None: Fly's default); may raise `FlyRefusal`.

    Raises:
        ValueError: the path is too long for a unix socket.
    """
    if len(str(path)) > LONGEST_PATH:
        raise ValueError(f"{path} is longer than the {LONGEST_PATH} characters a unix socket path may have")

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(READ_DEADLINE_S):
                status, kind, text = _respond(*await _read(reader), mint)
                writer.write(_render(status, kind, text))
                await writer.drain()
        except (TimeoutError, OSError, ValueError, asyncio.IncompleteReadError):
            return  # the caller left or spoke no HTTP; there is nobody to tell
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    return await asyncio.start_unix_server(answer, path)


async def _read(reader: asyncio.StreamReader) -> tuple[str, str, bytes]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    request_line, *lines = head.split("\r\n")
    method, target, _ = request_line.split(" ")
    headers = {key.strip().lower(): value.strip() for key, _, value in (li.partition(":") for li in lines)}
    length = int(headers.get("content-length", "0"))
    if not 0 <= length <= LARGEST_BODY:
        raise ValueError(f"a body of {length} bytes")
    return method, target, await reader.readexactly(length)


def _respond(method: str, target: str, body: bytes, mint: Mint) -> tuple[int, str, str]:
    if (method, target.partition("?")[0]) != ("POST", TOKEN_PATH):
        return HTTPStatus.NOT_FOUND, "text/plain", "404 page not found\n"
    try:
        asked = json.loads(body) if body.strip() else {}
    except ValueError as wrong:
        return HTTPStatus.BAD_REQUEST, "text/plain", f"invalid_argument: {wrong}"
    audience = asked.get("aud") if isinstance(asked, dict) else False
    if audience is not None and not isinstance(audience, str):
        return HTTPStatus.BAD_REQUEST, "text/plain", "invalid_argument: aud must be a string"
    try:
        return HTTPStatus.OK, "text/plain", mint(audience)
    except FlyRefusal as refusal:
        return refusal.status, "application/json", json.dumps(refusal.as_json())


def _render(status: int, kind: str, text: str) -> bytes:
    content = text.encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
        f"content-type: {kind}\r\ncontent-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + content
