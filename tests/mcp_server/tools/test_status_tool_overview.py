import pytest
from api_world import NOW
from status_tool_world import tokens

from mcp_server.refused import Refused
from runners.control.loop import LoopHealth
from runners.model.reason import Reason, Why
from runners.planning.plan import Held
from runners.store import pools


async def test_a_fleet_with_room_everywhere_expects_a_runner_soon(tools):
    await tools.fleet.plan()
    answer = await tools.call("fleet_overview")
    assert (answer["expect"], answer["problems"]) == ("soon", [])
    assert [pool["state"] for pool in answer["pools"]] == ["open"] * 4
    assert answer["pools"][0] == {"name": "gha-small", "state": "open", "room": 2, "free": 0, "queued": 0}


async def test_a_full_pool_comes_first_with_its_reason_and_the_others_still_serve(tools):
    await tools.fleet.add_runner("r-1")
    await tools.fleet.add_runner("r-2")
    for number in range(1, 6):
        await tools.fleet.add_job(number)
    await tools.fleet.plan()
    answer = await tools.call("fleet_overview")
    assert answer["expect"] == "some_pools"
    first = answer["pools"][0]
    assert (first["name"], first["state"], first["reason"]) == ("gha-small", "full", "pool_at_max")
    assert (first["queued"], first["oldest_wait_s"]) == (5, 50.0)
    held = next(each for each in answer["problems"] if each["what"] == "pool_at_max")
    assert (held["count"], held["where"]) == (3, ["gha-small"])


async def test_when_every_pool_is_full_running_jobs_must_end_first(open_tools):
    one = {"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "max_machines": 1}
    tools = await open_tools(pools=[one])
    await tools.fleet.add_runner("r-1")
    await tools.fleet.add_job(1)
    await tools.fleet.add_job(2)
    await tools.fleet.plan()
    assert (await tools.call("fleet_overview"))["expect"] == "wait"


async def test_a_paused_fleet_expects_no_runner(tools):
    await tools.fleet.store.run(lambda conn: pools.set_fleet_paused(conn, True))
    await tools.fleet.plan()
    answer = await tools.call("fleet_overview")
    assert (answer["expect"], answer["problems"][0]["what"]) == ("no", "fleet_paused")
    assert {pool["state"] for pool in answer["pools"]} == {"paused"}


async def test_a_drained_pool_is_said_and_does_not_spoil_the_rest(tools):
    await tools.fleet.store.run(lambda conn: pools.set_override(conn, "gha-web", drained=True))
    await tools.fleet.plan()
    answer = await tools.call("fleet_overview")
    assert answer["expect"] == "soon"
    assert answer["problems"] == [{"what": "pool_drained", "where": ["gha-web"]}]
    assert answer["pools"][0]["name"] == "gha-web"


async def test_a_stale_view_and_a_late_plan_expect_nothing(tools):
    await tools.fleet.plan()
    tools.window.stale = True
    stale = await tools.call("fleet_overview")
    assert (stale["expect"], stale["stale"], stale["problems"][0]["what"]) == ("unknown", True, "view_stale")
    tools.window.stale = False
    tools.fleet.clock.at += 100
    late = await tools.call("fleet_overview")
    assert (late["expect"], late["problems"][0]["what"]) == ("unknown", "plan_stale")


async def test_a_plan_that_was_never_made_expects_nothing(tools):
    assert (await tools.call("fleet_overview"))["expect"] == "unknown"


async def test_one_reason_over_many_pools_is_one_problem_with_a_count(tools):
    await tools.fleet.plan()
    view = tools.fleet.latest
    held = tuple(
        Held(f"pool/{pool}", pool, Why(Reason.NO_CAPACITY, "no capacity in iad", NOW + 30))
        for pool in ("gha-small", "gha-medium", "gha-web")
    )
    tools.fleet.latest = type(view)(
        view.snapshot, type(view.plan)(actions=view.plan.actions, held=held), view.whys, view.forecasts
    )
    answer = await tools.call("fleet_overview")
    problem = next(each for each in answer["problems"] if each["what"] == "no_capacity")
    assert (problem["count"], problem["where"]) == (3, ["gha-medium", "gha-small", "gha-web"])
    assert problem["detail"] == "no capacity in iad"
    assert answer["expect"] == "some_pools"


async def test_failing_loops_missing_credentials_and_blocked_upstreams_are_problems(tools):
    await tools.fleet.plan()
    tools.fleet.health.append(LoopHealth("sweep", 30.0, passes=1, last_pass_at=NOW, last_error="no answer"))
    tools.fleet.missing = {"github:acme": "GITHUB_INSTALLATION_TOKEN_ACME"}
    tools.fleet.ageing = {"GITHUB_INSTALLATION_TOKEN_ACME": 300.0}
    tools.fleet.blocked_until = {"fly:app-a": NOW + 60}
    found = {each["what"]: each for each in (await tools.call("fleet_overview"))["problems"]}
    assert found["credential_missing"]["where"] == ["GITHUB_INSTALLATION_TOKEN_ACME"]
    assert found["credential_ageing"]["where"] == ["GITHUB_INSTALLATION_TOKEN_ACME"]
    assert found["upstream_blocked"]["where"] == ["fly:app-a"]
    assert (found["loop_failing"]["where"], found["loop_failing"]["detail"]) == (["sweep"], "no answer")


async def test_two_hundred_pools_fit_the_soft_budget_and_a_cursor_reaches_each_once(open_tools):
    many = [
        {"name": f"pool-{number:03}", "scope": "orgs/acme", "apps": ["app-a"], "labels": [f"l{number}"]}
        for number in range(200)
    ]
    tools = await open_tools(pools=many)
    await tools.fleet.plan()
    seen, cursor = [], None
    while True:
        answer = await tools.call("fleet_overview", **({} if cursor is None else {"cursor": cursor}))
        assert tokens(answer) <= tools.settings.answer_soft_tokens
        assert answer["pools_total"] == 200
        seen += [pool["name"] for pool in answer["pools"]]
        cursor = answer.get("next_cursor")
        if cursor is None:
            break
    assert seen == [pool["name"] for pool in many]


async def test_a_forged_cursor_is_refused_without_being_repeated(tools):
    await tools.fleet.plan()
    with pytest.raises(Refused) as refused:
        await tools.call("fleet_overview", cursor="mallory-pool")
    assert refused.value.rule == "argument_invalid"
    assert "mallory" not in str(refused.value)


async def test_what_a_caller_may_not_see_is_in_no_count_and_no_name(tools):
    await tools.fleet.add_job(1)
    await tools.fleet.add_job(2, repository="globex/api", pool="globex-pool", labels=("globex",))
    await tools.fleet.plan()
    tools.sees(repositories=("acme/*",))
    answer = await tools.call("fleet_overview")
    assert answer["queued"] == 1
    assert "globex" not in str(answer)
    assert answer["pools_total"] == 3
