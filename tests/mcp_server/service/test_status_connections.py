"""Connections: whoever sends no end of a request, or nothing at all, keeps nobody out and fills no memory."""

import asyncio
import contextlib

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from status_world import served, status_world

from mcp_server.connection import HEAD_MAX, Connection

PATIENCE_S = 0.2


class Hasty(Connection):
    receive_s = PATIENCE_S


async def _said(request):
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
async def port():
    app = Starlette(routes=[Route("/", _said, methods=["GET", "POST"])])
    async with served(app, Hasty) as url:
        yield int(url.rpartition(":")[2])


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
    ],
)
async def test_who_does_not_finish_a_request_in_time_loses_the_connection(port, sent):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    with contextlib.suppress(ConnectionResetError):
        assert await asyncio.wait_for(reader.read(), 10) == b""
    writer.close()


async def test_a_byte_now_and_then_does_not_keep_a_connection(port):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    ended = asyncio.ensure_future(reader.read())
    for letter in b"GET / HTTP/1.1\r\nX-Slow: " + b"a" * 4000:
        if ended.done():
            break
        writer.write(bytes([letter]))
        await asyncio.wait({ended}, timeout=PATIENCE_S / 10)
    assert ended.done()
    ended.exception()
    writer.close()


@pytest.mark.parametrize("head", [b"GET /%s HTTP/1.1\r\n", b"GET / HTTP/1.1\r\nX-A: %s\r\n"])
async def test_a_head_without_end_is_refused_before_it_fills_memory(port, head):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    before, _, _ = head.partition(b"%s")
    writer.write(before + b"a" * (HEAD_MAX + 1))
    assert (await asyncio.wait_for(reader.read(), 10)).startswith(b"HTTP/1.1 431 ")
    writer.close()


async def test_whole_requests_are_answered_however_many_come_on_one_connection(port):
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http:
        for size in (0, 10, 300_000, 10):
            answer = await http.post("/", content=b"a" * size, headers={"X-A": "a" * 20_000})
            assert answer.text == str(size)
            # Between two requests it is uvicorn's own time that counts.
            await asyncio.sleep(2 * PATIENCE_S)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3)
    assert (await reader.readexactly(100)).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_only_who_was_let_in_keeps_the_connection(tmp_path):
    async with status_world(tmp_path) as world, httpx.AsyncClient(trust_env=False) as http:
        for path in ("/mcp", "/healthz", "/nowhere"):
            answer = await http.post(world.url + path) if path == "/mcp" else await http.get(world.url + path)
            assert answer.headers["connection"] == "close", path
        bearer = {"Authorization": f"Bearer {world.token()}"}
        answer = await http.get(f"{world.url}/mcp", headers=bearer)
        assert "connection" not in answer.headers
