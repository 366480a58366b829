"""Thirty agents read in chains while an operator drains and scales: nobody is ever told an older fleet."""

import asyncio
import json
import random

import httpx
from status_world import status_world

AGENTS = 30
READS = 12
CHANGES = 40
WAYS = (
    ("fleet_overview", {}),
    ("pool_capacity", {"pool": "gha-small"}),
    ("queue_list", {}),
    ("event_search", {"order": "newest", "limit": 1}),
    ("job_explain", {"job": "7"}),
)


async def test_no_agent_sees_a_revision_go_back_or_acts_on_a_view_older_than_it_was_told(tmp_path):
    async with status_world(tmp_path, burst=1000, project_calls_per_minute=100_000) as world:
        await world.fleet.add_job(7)
        await world.fleet.plan()
        await world.told()
        operating = await world.fleet.token("operate")
        acts = {}
        reads = [asyncio.create_task(_chain(world, number, acts)) for number in range(AGENTS)]
        await _operate(world, operating, acts)
        chains = await asyncio.gather(*reads)
    assert len(acts) >= CHANGES
    for seen in chains:
        assert seen == sorted(seen), "a revision went back"
    told = [revision for seen in chains for revision in seen]
    assert len(set(told)) > 10, "the readers saw nothing change: the test shows nothing"


async def _operate(world, token, acts):
    """Drain, scale and undrain; ``acts`` keeps what each revision must show."""
    draw = random.Random(3)
    bearer = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=world.dispatcher_url, headers=bearer, trust_env=False) as http:
        for number in range(CHANGES):
            drained = number % 2 == 0
            await _post(http, acts, "drain" if drained else "undrain", {}, {"drained": drained})
            figure = 1 + number % 15
            await _post(http, acts, "scale", {"max_machines": figure}, {"max_machines": figure})
            await asyncio.sleep(draw.uniform(0.0, 0.05))


async def _post(http, acts, verb, body, shows):
    answer = await http.post(f"/v1/pools/gha-small/{verb}", json=body)
    assert answer.status_code == 200, answer.text
    acts[answer.json()["revision"]] = shows


async def _chain(world, number, acts):
    """One agent: reads this and that, and now and then what an operator has just done."""
    draw, seen = random.Random(number), []
    async with world.agent(world.token(name=f"agent-{number}")) as agent:
        for _ in range(READS):
            name, arguments = draw.choice(WAYS)
            told = max(acts, default=None) if draw.random() < 0.5 else None
            if told is not None:
                name, arguments = "pool_capacity", {"pool": "gha-small", "min_revision": told}
            result = await agent.call_tool(name, arguments)
            assert not result.is_error, result.content[0].text
            answer = json.loads(result.content[0].text)
            assert not answer["stale"]
            seen.append(answer["revision"])
            if told is not None:
                assert answer["revision"] >= told
                _holds(answer, acts)
    return seen


def _holds(answer, acts):
    """The pool looks as the operator's latest act up to the answer's revision left it."""
    shown, expected = answer["pool"], {}
    for revision in sorted(acts):
        if revision <= answer["revision"]:
            expected |= acts[revision]
    if "drained" in expected:
        assert (shown["state"] == "drained") is expected["drained"], answer["revision"]
    if "max_machines" in expected:
        assert shown["max_machines"] == expected["max_machines"], answer["revision"]
