"""fly-gha-status has no authority: nothing but GET leaves it, and its token opens nothing that changes."""

import asyncio
import contextlib
import json
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute
from mcp.shared.exceptions import MCPError
from status_world import status_world

from runners.api import access
from runners.store import events

CORPUS = [
    each["text"] for each in json.loads((Path(__file__).parents[2] / "data" / "injections.json").read_text())
]
TEXTS = {
    "pool_capacity": "pool",
    "queue_list": "repository",
    "job_explain": "job",
    "runner_history": "runner",
    "event_search": "target",
}
CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture
async def world(tmp_path):
    async with status_world(tmp_path, burst=10_000, project_calls_per_minute=100_000) as opened:
        for number, text in enumerate(CORPUS, start=1):
            await opened.fleet.add_job(number, name=text, workflow_name=text, head_branch=text)
        await opened.fleet.plan()
        await opened.told()
        yield opened


async def test_whatever_the_injection_corpus_says_nothing_but_get_reaches_the_dispatcher(world):
    token = world.token()
    # Side by side: refusals of one kind share a record a second, and each of them waits for it.
    await asyncio.gather(*(_ask_with(world, token, text) for text in CORPUS))
    async with world.agent(token) as agent:
        for tool in ("fleet_overview", "queue_list", "capacity_check", "event_search", "incident_list"):
            arguments = {"labels": ["fly-gha-small"]} if tool == "capacity_check" else {}
            assert not (await agent.call_tool(tool, arguments)).is_error
    assert {method for method, _ in world.noted.requests} == {"GET"}
    assert len(world.noted.requests) > 20, "hardly anything was asked: the test shows nothing"
    assert {path.split("/")[1] for _, path in world.noted.requests} <= {"v1", "readyz"}


async def _ask_with(world, token, text):
    async with world.agent(token) as agent:
        for tool, field in TEXTS.items():
            await agent.call_tool(tool, {field: text})
        await agent.call_tool(text[:60], {"text": text})
        for handle in ("fleet://pools/", "fleet://jobs/", "fleet://runners/"):
            with contextlib.suppress(MCPError):
                await agent.read_resource(handle + text[:200])


async def test_its_token_gets_403_on_every_route_that_operates_or_administers(world):
    guarded = list(_guarded(world.fleet.app))
    assert {method for method, _ in guarded} >= {"POST", "DELETE"}
    assert len(guarded) >= 10
    bearer = {"Authorization": f"Bearer {world.dispatcher_token}"}
    async with httpx.AsyncClient(base_url=world.dispatcher_url, headers=bearer, trust_env=False) as http:
        for method, path in guarded:
            filled = path.replace("{pool}", "gha-small").replace("{name}", "r-1").replace("{token_id}", "x")
            answer = await http.request(method, filled, json={})
            assert answer.status_code == 403, (method, path, answer.text)
            assert answer.json()["reason"] == "access_denied"


async def test_every_route_of_the_dispatcher_that_changes_something_is_guarded_against_it(world):
    """What is not guarded by a scope is for GitHub and for Machines, who have credentials of their own."""
    guarded = set(_guarded(world.fleet.app))
    open_routes = {
        (method, route.path)
        for route in _routes(world.fleet.app)
        for method in route.methods & CHANGES
        if (method, route.path) not in guarded
    }
    bearer = {"Authorization": f"Bearer {world.dispatcher_token}"}
    before = await world.fleet.store.run(events.revision)
    async with httpx.AsyncClient(base_url=world.dispatcher_url, headers=bearer, trust_env=False) as http:
        for method, path in open_routes:
            answer = await http.request(method, path, json={})
            # Signing out is a redirect for whoever has not signed in; what it changed is looked at below.
            assert answer.status_code in {303, 401, 403, 415, 422}, (method, path, answer.text)
    happened = await world.fleet.store.run(lambda conn: events.page(conn, after=before))
    assert {event.outcome for event in happened} <= {"refused"}


def _routes(app):
    for included in app.routes:
        router = getattr(included, "original_router", None)
        for route in [included] if router is None else router.routes:
            if isinstance(route, APIRoute):
                yield route


def _guarded(app):
    guards = {access._operator, access._admin}
    for route in _routes(app):
        if guards & _calls(route.dependant):
            for method in route.methods:
                yield method, route.path


def _calls(dependant):
    found = {dependant.call}
    for each in dependant.dependencies:
        found |= _calls(each)
    return found
