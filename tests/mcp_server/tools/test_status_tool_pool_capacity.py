import pytest
from api_world import NOW

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.model.states import RunnerState
from runners.store import pools


async def test_a_pool_shows_supply_by_state_caps_spares_money_and_what_is_held(tools):
    await tools.fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=9)
    await tools.fleet.add_runner("r-2")
    for number in range(1, 4):
        await tools.fleet.add_job(number)
    await tools.fleet.plan()
    answer = await tools.call("pool_capacity", pool="gha-small")
    pool = answer["pool"]
    assert (pool["state"], pool["reason"], pool["room"], pool["live_machines"]) == (
        "full",
        "pool_at_max",
        0,
        2,
    )
    assert pool["runners"] == {"idle": 1, "busy": 1}
    assert pool["machines"] == {"bound": 2}
    assert pool["budget"] == {"spent_today_usd": 1.5}
    assert pool["held"][0]["count"] == 2
    assert answer["first_start"]["in_s"] == 10.0
    assert "start" not in answer["last_start"]


async def test_an_empty_queue_has_no_starts_and_asks_nothing_but_the_view(tools):
    await tools.fleet.plan()
    answer = await tools.call("pool_capacity", pool="gha-medium")
    assert answer["pool"]["state"] == "open"
    assert {"first_start", "last_start", "forecast_missing"}.isdisjoint(answer)


async def test_an_operators_cap_shows_as_an_override(tools):
    await tools.fleet.store.run(lambda conn: pools.set_override(conn, "gha-small", max_machines=7))
    await tools.fleet.plan()
    pool = (await tools.call("pool_capacity", pool="gha-small"))["pool"]
    assert (pool["max_machines"], pool["overrides"]) == (7, ["max_machines"])


async def test_a_pool_is_found_by_a_label_it_serves_whatever_the_case(tools):
    await tools.fleet.plan()
    assert (await tools.call("pool_capacity", pool="FLY-gha-Medium"))["pool"]["name"] == "gha-medium"


async def test_without_the_queue_the_view_still_answers_and_says_what_it_lacks(tools):
    await tools.fleet.add_job(1)
    await tools.fleet.plan()
    tools.window.failing["/v1/jobs"] = Refused(Rule.BREAKER_OPEN, cause="c", attempted="a", next_step="n")
    answer = await tools.call("pool_capacity", pool="gha-small")
    assert answer["forecast_missing"] == "breaker_open"
    assert answer["pool"]["queued"] == 1
    assert "first_start" not in answer


async def test_an_unknown_pool_offers_the_nearest_names_and_never_a_hidden_one(tools):
    tools.sees(repositories=("acme/*",))
    for asked in ("gha-smal", "globex-poo"):
        with pytest.raises(Refused) as refused:
            await tools.call("pool_capacity", pool=asked)
        assert refused.value.rule is Rule.NOT_FOUND
        assert asked not in str(refused.value).replace("gha-small", "")
        assert "globex" not in str(refused.value)
    with pytest.raises(Refused, match="not_found") as refused:
        await tools.call("pool_capacity", pool="gha-smal")
    assert "gha-small" in refused.value.next_step
