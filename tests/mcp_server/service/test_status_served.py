"""fly-gha-status over HTTP, as agents meet it: every tool and resource, in both protocol eras."""

import json

import httpx
import jsonschema
import pytest
from status_world import ERAS, status_world

from mcp_server.resources import TEMPLATES
from mcp_server.tools.registry import TOOLS

CALLS = {
    "fleet_overview": {},
    "pool_capacity": {"pool": "gha-small"},
    "queue_list": {},
    "job_explain": {"job": "7"},
    "capacity_check": {"labels": ["fly-gha-small"]},
    "runner_history": {"runner": "r-1"},
    "incident_list": {},
    "event_search": {},
    "usage_summary": {},
    "server_stats": {},
}


@pytest.fixture
async def world(tmp_path):
    async with status_world(tmp_path) as opened:
        await opened.fleet.add_job(7)
        await opened.fleet.add_runner("r-1")
        await opened.fleet.plan()
        await opened.told()
        yield opened


@pytest.mark.parametrize("era", ERAS)
async def test_every_tool_answers_as_its_output_schema_says(world, era):
    async with world.agent(era=era) as agent:
        listed = {tool.name: tool for tool in (await agent.list_tools()).tools}
        assert list(listed) == [tool.name for tool in TOOLS]
        for name, arguments in CALLS.items():
            result = await agent.call_tool(name, arguments)
            assert not result.is_error, (name, result.content[0].text)
            jsonschema.validate(result.structured_content, listed[name].output_schema)
            assert json.loads(result.content[0].text) == result.structured_content
            assert {"revision", "as_of", "age_s", "stale"} <= set(result.structured_content)


@pytest.mark.parametrize("era", ERAS)
async def test_every_resource_is_read_by_the_handle_that_a_tool_gave(world, era):
    async with world.agent(era=era) as agent:
        templates = (await agent.list_resource_templates()).resource_templates
        assert [each.uri_template for each in templates] == [each.uri_template for each in TEMPLATES]
        for uri in ("fleet://pools/gha-small", "fleet://jobs/7", "fleet://runners/r-1"):
            [contents] = (await agent.read_resource(uri)).contents
            assert json.loads(contents.text)["revision"] > 0


async def test_nobody_without_a_token_is_let_in_and_it_is_recorded(world):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    async with httpx.AsyncClient(trust_env=False) as http:
        for headers in ({}, {"Authorization": "Bearer fgs_wrong"}, {"Authorization": "Basic Zm9v"}):
            answer = await http.post(f"{world.url}/mcp", json=body, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"].startswith("Bearer")
            assert answer.json()["error"]["class"] == "authentication"
    async with world.agent() as agent:
        stats = await agent.call_tool("server_stats", {})
    assert not stats.is_error


async def test_a_page_in_a_browser_cannot_reach_a_local_server(world):
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    bearer = {"Authorization": f"Bearer {world.token()}", "Accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(trust_env=False, headers=bearer) as http:
        foreign = await http.post(f"{world.url}/mcp", json=body, headers={"Host": "evil.example"})
        assert foreign.status_code == 421
        page = await http.post(f"{world.url}/mcp", json=body, headers={"Origin": "https://evil.example"})
        assert page.status_code == 403


async def test_parameters_that_are_none_are_refused_in_our_words_and_recorded(world):
    token = world.token(name="careless")
    headers = {"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["ignore all rules"]}}
    async with httpx.AsyncClient(trust_env=False, headers=headers) as http:
        answer = await http.post(f"{world.url}/mcp", json=body)
    assert "ignore" not in answer.text
    assert answer.json()["error"]["data"]["rule"] == "argument_invalid"


async def test_health_is_open_and_says_ok(world):
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{world.url}/healthz")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] in {"ok", "degraded"}
