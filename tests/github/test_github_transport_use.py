"""How the client uses what it is given: one client for all tasks, connections kept, nothing loaded early."""

import asyncio
import contextvars
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from githubkit import cache as githubkit_cache

from runners.github.registrations import Removal
from runners.github.scope import upstream_key
from runners.upstream.errors import ErrorClass, UpstreamError
from runners.upstream.transport import UpstreamTransport
from tests.github.wire import NOW

ROOT = Path(__file__).parents[2]
BODY = b'{"runners": []}'


@pytest.fixture
async def server():
    """A real HTTP/1.1 server on loopback that counts connections and answers every GET with an empty list."""
    connections = 0
    writers = []

    async def serve(reader, writer):
        nonlocal connections
        connections += 1
        writers.append(writer)
        try:
            while (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET"):
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY))
                await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}", lambda: connections
    for writer in writers:
        writer.close()
    listening.close()
    await listening.wait_closed()


async def test_tasks_one_after_the_other_share_one_connection(server, tokens, make_github):
    url, connections = server
    async with httpx.AsyncHTTPTransport() as transport:
        github = make_github(transport, tokens, api_url=url)
        for owner in ("acme", "acme", "other", "acme"):
            # Each in a context of its own, as tasks of different loops and requests are.
            call = github.list_runners(f"orgs/{owner}")
            await asyncio.create_task(call, context=contextvars.Context())
    assert connections() == 1


async def test_tasks_at_the_same_time_all_get_their_answer(server, tokens, make_github):
    url, connections = server
    async with httpx.AsyncHTTPTransport(limits=httpx.Limits(max_connections=5)) as transport:
        github = make_github(transport, tokens, api_url=url)
        for _ in range(2):
            await asyncio.gather(*(github.list_runners("orgs/acme") for _ in range(30)))
    assert connections() <= 5


async def test_the_transport_stays_open(wire, github):
    wire.on("DELETE /orgs/acme/actions/runners/1", lambda _: httpx.Response(204))
    for _ in range(3):
        assert await github.delete_runner("orgs/acme", 1) is Removal.DELETED
    assert wire.closed == 0


async def test_two_githubs_in_one_process_share_nothing(wire, github, tokens, make_github):
    other = make_github(wire, tokens)
    github.load()
    other.load()
    kits = [next(iter(each._calls._kits.values())) for each in (github, other)]
    assert kits[0].config.cache_strategy is not kits[1].config.cache_strategy
    assert all(kit.config.cache_strategy is not githubkit_cache.DEFAULT_CACHE_STRATEGY for kit in kits)


async def test_githubkits_own_ways_are_off(github):
    github.load()
    config = next(iter(github._calls._kits.values())).config
    assert config.auto_retry is None
    assert config.http_cache is False
    assert config.follow_redirects is False
    assert config.trust_env is False
    assert config.timeout == httpx.Timeout(10.0)


async def test_an_open_breaker_says_that_nothing_was_sent_and_until_when(wire, tokens, clock, make_github):
    transport = UpstreamTransport("github", wire, clock, deadline=5, key=upstream_key)
    github = make_github(transport, tokens)
    wire.on("POST /orgs/acme/actions/runners/registration-token", lambda _: httpx.Response(502))
    errors = []
    for _ in range(6):
        with pytest.raises(UpstreamError) as caught:
            await github.mint_registration_token("orgs/acme")
        errors.append(caught.value)
    assert [error.answered for error in errors] == [False] * 5 + [True]
    assert errors[-1].retry_at == NOW + 900
    assert transport.blocked_until() == {"github:acme": NOW + 900}


async def test_a_call_past_its_deadline_may_have_happened(wire, tokens, clock, make_github):
    async def never(_):
        await asyncio.Event().wait()

    wire.on("POST /orgs/acme/actions/runners/registration-token", never)
    transport = UpstreamTransport("github", wire, clock, deadline=0.01, key=upstream_key)
    with pytest.raises(UpstreamError) as caught:
        await make_github(transport, tokens).mint_registration_token("orgs/acme")
    assert (caught.value.answered, caught.value.error_class) == (False, ErrorClass.TRY_LATER)


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("/api/v3/orgs/acme/actions/runners", "github:acme"),
        ("/repos/acme/repos/actions/runs", "github:acme"),
        ("/orgs/app", "github:app"),
        ("/app/hook/deliveries", "github:@app"),
        ("/app/installations/7/access_tokens", "github:@app"),
    ],
)
def test_a_call_spends_its_owners_budget(path, key):
    assert upstream_key(httpx.Request("GET", f"https://github.test{path}")) == key


def loaded_after(code):
    script = f"import sys\n{code}\nprint(sorted(m for m in sys.modules if m.split('.')[0] == 'githubkit'))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_reading_a_payload_loads_no_client_library():
    assert loaded_after("import runners.github.payload, httpx") == "[]"
    assert loaded_after("import runners.github.payload; assert 'httpx' not in sys.modules") == "[]"


def test_building_the_client_does_not_load_githubkit_and_load_does():
    build = (
        "import httpx\n"
        "from runners.github.client import GitHub\n"
        "from runners.github.app_auth import AppSigner, AppMinter\n"
        "from runners.github.app_tokens import AppTokens\n"
        "from runners.upstream.clock import SystemClock\n"
        "w, c = httpx.AsyncHTTPTransport(), SystemClock()\n"
        "s = AppSigner('1', lambda: None, c)\n"
        "m = AppMinter(w, s, c, scopes=['orgs/a'], api_url='http://x', api_version='1')\n"
        "g = GitHub(w, AppTokens(m, s, c), c, api_url='http://x', api_version='1')\n"
    )
    assert loaded_after(build) == "[]"
    assert "githubkit.core" in loaded_after(build + "g.load()")
