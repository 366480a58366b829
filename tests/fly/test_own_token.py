"""Our own Machine's token: asked of a real socket, and whatever comes instead is a typed error without it."""

import asyncio

import pytest

from fly.errors import FlyBadAnswer, FlyError, FlyNoSocket, FlyServerError, FlyUnanswered
from fly.own_token import mint_own_token
from simulator.fly.token_socket import serve_tokens


@pytest.fixture
async def served(tmp_path):
    """Serves a socket that gives what a function makes of an audience."""
    servers = []

    async def serve(mint):
        servers.append(await serve_tokens(tmp_path / "api", mint))
        return str(tmp_path / "api")

    yield serve
    for server in servers:
        server.close()


async def test_the_token_is_for_the_audience_that_was_asked_for(served):
    socket = await served(lambda audience: f"head.{audience}.tail")
    assert await mint_own_token(socket, "us") == "head.us.tail"


@pytest.mark.parametrize("text", ["", "some words", "two.parts", "a.b.c\nd", "<html>"])
async def test_what_is_no_token_is_a_bad_answer_that_does_not_repeat_it(served, text):
    socket = await served(lambda _: text)
    with pytest.raises(FlyBadAnswer) as bad:
        await mint_own_token(socket, "us")
    assert not text or text not in str(bad.value)


async def test_a_path_without_a_socket_is_no_fly_machine(tmp_path):
    (tmp_path / "file").write_text("")
    for path in ("none", "file", "x" * 5000):
        with pytest.raises(FlyNoSocket):
            await mint_own_token(str(tmp_path / path), "us")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 4\r\n\r\noops", FlyServerError),
        (b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n", FlyError),
        (b"", FlyUnanswered),
    ],
)
async def test_a_refusal_or_silence_is_an_error_of_its_kind(tmp_path, answer, error):
    async def say(_, writer):
        writer.write(answer)
        writer.close()

    server = await asyncio.start_unix_server(say, tmp_path / "api")
    async with server:
        with pytest.raises(error):
            await mint_own_token(str(tmp_path / "api"), "us")
