"""How many calls fly-gha-status answers, each one authenticated, limited, recorded and synced to the disk.

One server process with a dispatcher behind it, and a client that writes prepared bytes, so that the figures
are the server's. Both protocol eras, since agents of both ask.
"""

import asyncio
import json
import statistics
import time
from urllib.parse import urlsplit

import pytest

from tests.mcp_server.service.status_process import process
from tests.mcp_server.service.status_world import status_world

SECONDS = 6.0
WARM_UP = 1.0
MODERN = "2026-07-28"
FAST = {"FLY_GHA_STATUS_BURST": "100000", "FLY_GHA_STATUS_CALLS_PER_MINUTE": "60000"}
FAST |= {"FLY_GHA_STATUS_PROJECT_CALLS_PER_MINUTE": "600000"}


@pytest.mark.parametrize("era", ["2025-11-25", MODERN])
@pytest.mark.parametrize("agents", [1, 16, 64])
async def test_calls_per_second(tmp_path, era, agents):
    async with status_world(tmp_path / "world") as world:
        await world.fleet.add_job(7)
        await world.fleet.plan()
        await world.told()
        tokens = [world.token(name=f"agent-{number}") for number in range(agents)]
        async with process(world, tmp_path / "audit", **FAST) as (_, url):
            until = time.perf_counter() + WARM_UP + SECONDS
            taken = await asyncio.gather(*(_ask_on(url, token, era, until) for token in tokens))
    cut = until - SECONDS
    spans = [span for each in taken for ended, span in each if ended >= cut]
    cuts = statistics.quantiles(spans, n=100)
    print(  # noqa: T201 - a benchmark's output is its point
        f"\n{era}, {agents} agents: {len(spans) / SECONDS:,.0f} calls/s, "
        f"p50 {cuts[49] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
    )
    assert len(spans) > 100


async def _ask_on(url, token, era, until):
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    request, taken = _request(place, token, era), []
    while time.perf_counter() < until:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
        body = await reader.readexactly(length)
        ended = time.perf_counter()
        assert b'"revision"' in body, body
        taken.append((ended, ended - began))
    writer.close()
    return taken


def _request(place, token, era):
    params = {"name": "pool_capacity", "arguments": {"pool": "gha-small"}}
    headers = {"MCP-Protocol-Version": era}
    if era == MODERN:
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": era,
            "io.modelcontextprotocol/clientCapabilities": {},
        }
        headers |= {"Mcp-Method": "tools/call", "Mcp-Name": "pool_capacity"}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
    headers |= {
        "Host": place.netloc,
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
        "Content-Length": str(len(body)),
    }
    lines = [f"POST {place.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
