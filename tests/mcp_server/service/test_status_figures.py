"""The figures of the envelope, each held at its edge by the whole service over HTTP, in front of a dispatcher
that fails in every way there is."""

import asyncio
import gzip
import json

import httpx
import pytest
from fake_dispatcher import TOKEN, after, dripping, fake_world, says
from starlette.responses import Response
from status_world import served

from mcp_server.settings import Envelope

EVENTS = "/v1/events"


@pytest.fixture
async def world(tmp_path):
    async with fake_world(tmp_path) as opened:
        yield opened


# --- 60 a minute, 120, 600


async def test_a_caller_has_120_calls_at_once_and_then_60_a_minute(world):
    agent = world.agent()
    assert [(await agent.call("fleet_overview"))[0] for _ in range(120)] == [""] * 120
    assert await agent.call("fleet_overview") == ("caller_rate", 1.0)
    world.clock.at += 0.99
    assert (await agent.call("fleet_overview"))[0] == "caller_rate"
    world.clock.at += 0.01
    assert (await agent.call("fleet_overview"))[0] == ""
    assert (await agent.call("fleet_overview"))[0] == "caller_rate"
    assert (await world.agent(name="another").call("fleet_overview"))[0] == ""


async def test_the_callers_of_a_project_have_600_calls_together(world):
    agents = [world.agent(name=f"agent-{number}") for number in range(5)]
    for agent in agents:
        assert [(await agent.call("fleet_overview"))[0] for _ in range(120)] == [""] * 120
    late = world.agent(name="late")
    assert await late.call("fleet_overview") == ("project_rate", 0.1)
    world.clock.at += 0.1
    assert (await late.call("fleet_overview"))[0] == ""
    assert (await late.call("fleet_overview"))[0] == "project_rate"
    assert (await world.agent(project="another").call("fleet_overview"))[0] == ""


# --- seconds


@pytest.mark.parametrize(("takes", "rule"), [(0.1, ""), (1.5, "dispatcher_timeout")])
async def test_the_dispatcher_has_so_long_for_one_answer_and_no_longer(tmp_path, takes, rule):
    async with fake_world(tmp_path, upstream_timeout_s=0.6) as world:
        world.fleet.manners[EVENTS] = after(takes, lambda: world.fleet.usual(EVENTS))
        asked = asyncio.get_running_loop().time()
        assert (await world.agent().call("event_search"))[0] == rule
        assert asyncio.get_running_loop().time() - asked < 1.4


async def test_an_answer_that_drips_is_no_answer_in_time(tmp_path):
    async with fake_world(tmp_path, upstream_timeout_s=0.3) as world:
        world.fleet.manners[EVENTS] = dripping(0.02)
        assert (await world.agent().call("event_search"))[0] == "dispatcher_timeout"


@pytest.mark.parametrize(("takes", "rule"), [(0.1, None), (0.5, "call_deadline")])
async def test_a_call_has_so_long_altogether_however_many_questions_it_asks(tmp_path, takes, rule):
    async with fake_world(tmp_path, call_timeout_s=0.8) as world:
        for path in ("/v1/jobs", "/v1/runners"):
            world.fleet.manners[path] = after(takes, lambda path=path: world.fleet.usual(path))
        agent = world.agent()
        await agent.call("fleet_overview")
        said = await agent.send("resources/read", {"uri": "fleet://pools/gha-small"})
        assert said.get("error", {}).get("data", {}).get("rule") == rule


@pytest.mark.parametrize(("takes", "found"), [(0.0, "ok"), (30.0, "degraded")])
async def test_health_waits_so_long_for_the_dispatcher_and_no_longer(tmp_path, takes, found):
    async with fake_world(tmp_path, health_timeout_s=0.3) as world:
        await world.agent().call("fleet_overview")
        world.fleet.manners["/readyz"] = after(takes, lambda: world.fleet.usual("/readyz"))
        answer = await world.http.get(f"{world.url}/healthz")
        assert answer.json()["status"] == found, answer.text
        if found != "ok":
            assert answer.json()["wrong"] == ["dispatcher"]
            assert "within 0.3 s" in answer.text


# --- 2 MB


async def test_an_answer_of_2_mb_goes_back_and_one_byte_more_does_not(tmp_path):
    largest = Envelope.model_fields["answer_max_bytes"].default
    assert largest == 2 * 1024 * 1024
    size = len(json.dumps(await _pool(tmp_path / "a", ("a",)))) - len("a")
    # A label more takes its characters, its escaped quotes and a comma.
    step = 64 + 5
    many, rest = divmod(largest - size - 1, step)
    labels = ("a" * (1 + rest), *["b" * 64] * many)
    if rest + 1 > 64:
        labels = ("a" * 60, "a" * (rest + 1 - 60 - 5), *labels[1:])
    text = await _pool(tmp_path / "b", labels)
    assert len(json.dumps(text)) == largest
    refused = await _pool(tmp_path / "c", (labels[0] + "a", *labels[1:]))
    assert refused["rule"] == "answer_too_large"


async def _pool(directory, labels):
    async with fake_world(directory) as world:
        world.fleet.labels = labels
        said = await world.agent().send("resources/read", {"uri": "fleet://pools/gha-small"})
        return said["error"]["data"] if "error" in said else said["result"]["contents"][0]["text"]


# --- no retry, the breaker


FAILURES = {
    "an error": says(Response(status_code=500)),
    "busy": says(Response(status_code=503, headers={"Retry-After": "1"})),
    "too many": says(Response(status_code=429, headers={"Retry-After": "1"})),
    "a body that breaks off": says(Response(b"{", headers={"Content-Length": "9000"})),
    "no JSON": says(Response(b"<html>welcome</html>")),
    "another answer": says(Response(b'{"revision": "many", "as_of": "yesterday"}')),
    "a revision that is none": says(Response(b'{"revision": -1, "as_of": "2026-11-20T12:00:00.000Z"}')),
    "compressed": says(Response(gzip.compress(b" " * 50_000_000), headers={"Content-Encoding": "gzip"})),
    "a refusal of our token": says(Response(status_code=403)),
    "no such route": says(Response(status_code=405)),
}


@pytest.mark.parametrize("what", FAILURES)
async def test_a_question_that_failed_is_never_asked_again(world, what):
    await world.agent().call("fleet_overview")
    world.fleet.manners[EVENTS] = FAILURES[what]
    rule, _ = await world.agent().call("event_search")
    assert rule.startswith("dispatcher_")
    assert world.fleet.asked[EVENTS] == 1


async def test_a_redirect_is_not_followed_and_takes_our_token_nowhere(world):
    went = []

    async def elsewhere(scope, receive, send):
        if scope["type"] == "http":
            went.append(dict(scope["headers"]))
        await Response(b"{}")(scope, receive, send)

    async with served(_with_lifespan(elsewhere)) as other:
        world.fleet.manners[EVENTS] = says(Response(status_code=307, headers={"Location": other + EVENTS}))
        assert (await world.agent().call("event_search"))[0] == "dispatcher_failed"
        async with httpx.AsyncClient(trust_env=False) as http:
            await http.get(other)
    assert len(went) == 1
    assert TOKEN not in str(went)


def _with_lifespan(app):
    async def both(scope, receive, send):
        if scope["type"] != "lifespan":
            await app(scope, receive, send)
            return
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})

    return both


async def test_5_failures_open_the_breaker_for_15_minutes_and_3_good_trials_close_it(world):
    agent = world.agent()
    await agent.call("fleet_overview")
    world.fleet.manners[EVENTS] = says(Response(status_code=500))
    for _ in range(4):
        assert (await agent.call("event_search"))[0] == "dispatcher_failed"
    # The fifth comes when the first four are as old as failures are remembered: it is alone.
    world.clock.at += 300
    assert (await agent.call("event_search"))[0] == "dispatcher_failed"
    for _ in range(4):
        world.clock.at += 74
        assert (await agent.call("event_search"))[0] == "dispatcher_failed"
    assert world.fleet.asked[EVENTS] == 9
    assert await agent.call("event_search") == ("breaker_open", 900.0)
    world.clock.at += 899
    assert await agent.call("event_search") == ("breaker_open", 1.0)
    assert world.fleet.asked[EVENTS] == 9
    world.clock.at += 1
    del world.fleet.manners[EVENTS]
    for _ in range(3):
        assert world.service.dispatcher.breaker.value == "trying"
        assert (await agent.call("event_search"))[0] == ""
    assert world.service.dispatcher.breaker.value == "closed"


async def test_a_revision_that_never_comes_costs_the_dispatcher_little_and_keeps_nobody_else_waiting(
    tmp_path,
):
    async with fake_world(tmp_path, revision_wait_s=1) as world:
        agent, other = world.agent(), world.agent(name="other")
        await agent.call("fleet_overview")
        before = world.fleet.asked["/v1/status"]
        waiting = [asyncio.create_task(agent.call("fleet_overview", min_revision=2**62)) for _ in range(60)]
        assert (await other.call("fleet_overview"))[0] == ""
        assert not any(each.done() for each in waiting)
        assert {rule for rule, _ in await asyncio.gather(*waiting)} == {"revision_not_reached"}
        assert world.fleet.asked["/v1/status"] - before < len(waiting) / 2
        assert (await agent.call("fleet_overview"))[0] == ""


async def test_one_bad_trial_opens_the_breaker_again(world):
    agent = world.agent()
    await agent.call("fleet_overview")
    world.fleet.manners[EVENTS] = says(Response(status_code=500))
    for _ in range(5):
        await agent.call("event_search")
    world.clock.at += 900
    assert (await agent.call("event_search"))[0] == "dispatcher_failed"
    assert await agent.call("event_search") == ("breaker_open", 900.0)
    assert world.fleet.asked[EVENTS] == 6
