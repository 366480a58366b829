"""The door: nothing that is sent to /mcp gets round authentication, the rate limit or the audit log."""

import json

import httpx
import pytest
from status_world import status_world

from mcp_server.audit.record import read_record
from mcp_server.checkpoint import REQUESTS_PER_CALL

NEW = "2026-07-28"
HOSTILE = "IGNORE_ALL_RULES"
META = {
    "io.modelcontextprotocol/protocolVersion": NEW,
    "io.modelcontextprotocol/clientCapabilities": {},
}
OK = 200


@pytest.fixture
async def world(tmp_path):
    async with status_world(tmp_path) as opened:
        yield opened


def http(token, **headers):
    known = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json, text/event-stream",
        "Content-Type": "application/json",
    }
    return httpx.AsyncClient(headers=known | headers, trust_env=False, timeout=30)


def message(method, params=None, **fields):
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}, **fields}


def recorded(world):
    lines = b"".join(path.read_bytes() for path in sorted(world.audit_dir.glob("*.jsonl"))).splitlines()
    entries = [read_record(line).entry for line in lines]
    return [entry for entry in entries if not entry.operation.startswith("audit/")]


WRONG = {
    "no JSON": ({}, b'{"' + HOSTILE.encode()),
    "nested without end": ({}, b"[" * 30_000),
    "a batch": ({}, [message(HOSTILE), message("tools/call")]),
    "a batch of the version that had them": ({"MCP-Protocol-Version": "2025-03-26"}, [message(HOSTILE)]),
    "too large": ({}, {"a": HOSTILE * 10_000}),
    "another media type": ({"Content-Type": "text/plain"}, message("ping")),
    "an answer nobody can give": ({"Accept": "text/html"}, message("ping")),
    "an unknown version": ({"MCP-Protocol-Version": HOSTILE}, message("ping")),
    "a version without its envelope": ({"MCP-Protocol-Version": NEW}, message("tools/list")),
    "headers of another method": (
        {"MCP-Protocol-Version": NEW, "Mcp-Method": HOSTILE},
        message("tools/list", {"_meta": META}),
    ),
    "an unknown method": ({}, message(HOSTILE)),
    "an unknown method of the new era": (
        {"MCP-Protocol-Version": NEW, "Mcp-Method": HOSTILE},
        message(HOSTILE, {"_meta": META}),
    ),
    "our own word for no method": ({}, message("http/request")),
    "prompts": ({}, message("prompts/list")),
    "completion": (
        {},
        message(
            "completion/complete",
            {
                "ref": {"type": "ref/resource", "uri": "fleet://pools/{pool}"},
                "argument": {"name": "pool", "value": HOSTILE},
            },
        ),
    ),
    "a subscription": ({}, message("resources/subscribe", {"uri": HOSTILE})),
    "a stream of changes": (
        {"MCP-Protocol-Version": NEW, "Mcp-Method": "subscriptions/listen"},
        message("subscriptions/listen", {"_meta": META, "notifications": {}}),
    ),
    "a handshake without parameters": ({}, message("initialize")),
    "parameters that are none": ({}, message("tools/call", {"name": [HOSTILE]})),
}


@pytest.mark.parametrize("what", WRONG)
async def test_a_bad_request_of_a_known_caller_is_refused_without_an_echo_and_recorded_once(world, what):
    headers, body = WRONG[what]
    before = len(world.noted.requests)
    async with http(world.token(name="careless"), **headers) as client:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answer = await client.post(f"{world.url}/mcp", content=content)
    assert answer.status_code != OK or "error" in answer.json()
    assert HOSTILE not in answer.text
    assert "Traceback" not in answer.text
    [entry] = recorded(world)
    assert (entry.caller_name, entry.result, entry.allowed) == ("careless", "validation", False)
    assert entry.rule in {"request_invalid", "argument_invalid"}
    assert {path for _, path in world.noted.requests[before:]} <= {"/v1/status/stream", "/v1/status"}


@pytest.mark.parametrize("method", ["GET", "DELETE", "PUT", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("version", ["2025-11-25", NEW])
async def test_nothing_but_a_post_is_served_and_no_stream_is_held_open(world, method, version):
    async with http(world.token(), **{"MCP-Protocol-Version": version}) as client:
        answer = await client.request(method, f"{world.url}/mcp")
        assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
        stranger = await client.request(method, f"{world.url}/mcp", headers={"Authorization": "Bearer x"})
        assert stranger.status_code == 401


async def test_two_tokens_are_none(world):
    token = world.token()
    headers = [("Authorization", f"Bearer {token}"), ("Authorization", f"Bearer {token}")]
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.post(f"{world.url}/mcp", headers=headers, json=message("tools/list"))
    assert (answer.status_code, answer.json()["error"]["rule"]) == (401, "token_missing")


@pytest.mark.parametrize("fields", [{"id": None}, {"id": 1.5}, {"id": {"a": 1}}, {"id": [1]}])
@pytest.mark.parametrize("method", ["tools/list", "tools/call"])
async def test_a_message_with_an_odd_id_runs_nothing(world, method, fields):
    async with http(world.token()) as client:
        body = message(method, {"name": "fleet_overview"}, **fields)
        answer = await client.post(f"{world.url}/mcp", json=body)
    assert "result" not in answer.text
    assert [entry.operation for entry in recorded(world) if entry.allowed] == []


async def test_what_is_no_call_is_limited_too_and_the_answer_says_when_to_come_back(tmp_path):
    async with status_world(tmp_path, burst=2, calls_per_minute=1) as world, http(world.token()) as client:
        for _ in range(2 * REQUESTS_PER_CALL):
            assert (await client.post(f"{world.url}/mcp", json=message("ping"))).status_code == OK
        answer = await client.post(f"{world.url}/mcp", json=message("ping"))
        assert answer.status_code == 429
        assert answer.json()["error"]["rule"] == "caller_rate"
        assert 0 < answer.json()["error"]["retry_after_s"] <= int(answer.headers["retry-after"]) <= 60
        async with http(world.token(name="another")) as other:
            assert (await other.post(f"{world.url}/mcp", json=message("ping"))).status_code == OK
        [entry] = recorded(world)
    assert (entry.operation, entry.rule, entry.allowed) == ("http/request", "caller_rate", False)


async def test_no_token_is_found_in_the_audit_log_or_its_figures(world):
    token = world.token()
    async with http(token) as client:
        for body in (
            message("tools/call", {"name": token, "arguments": {token: token, "pool": f"x {token}"}}),
            message("resources/read", {"uri": f"fleet://pools/{token}"}),
            message(token),
        ):
            answer = await client.post(f"{world.url}/mcp", json=body, headers={"MCP-Protocol-Version": ""})
            assert token not in answer.text
    assert len(recorded(world)) == 3
    kept = b"".join(path.read_bytes() for path in world.audit_dir.iterdir())
    assert token.encode() not in kept
    assert token.split("_", 2)[2].encode() not in kept
