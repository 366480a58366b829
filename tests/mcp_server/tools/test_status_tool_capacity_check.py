"""The gate: it says pass only when everything that it rests on is known and young."""

import pytest
from api_world import NOW

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.control.loop import LoopHealth
from runners.store import pools
from runners.wire.times import rfc3339

SMALL = {"labels": ["fly-gha-small"]}


async def test_jobs_that_would_all_get_a_runner_pass_and_their_starts_are_told(tools):
    await tools.fleet.plan()
    answer = await tools.call("capacity_check", **SMALL, jobs=2, repository="acme/api")
    assert (answer["pass"], answer["rule"], answer["pool"]) == (True, "allowed", "gha-small")
    assert (answer["jobs"], answer["startable"]) == (2, 2)
    assert answer["first_start"]["in_s"] <= answer["last_start"]["in_s"]
    assert answer["first_start"]["confidence"] == "low"
    assert "detail" not in answer


async def test_one_job_more_than_the_pool_has_room_for_fails_with_the_reason(tools):
    await tools.fleet.plan()
    answer = await tools.call("capacity_check", **SMALL, jobs=3)
    assert (answer["pass"], answer["rule"], answer["startable"]) == (False, "pool_at_max", 2)
    assert answer["detail"]


async def test_a_paused_fleet_fails_with_its_reason(tools):
    await tools.fleet.plan(paused=True)
    answer = await tools.call("capacity_check", **SMALL)
    assert (answer["pass"], answer["rule"]) == (False, "fleet_paused")


async def test_a_drain_or_a_pause_fails_the_gate_before_the_planner_has_heard_of_it(tools):
    await tools.fleet.plan()
    await tools.fleet.store.run(lambda conn: pools.set_override(conn, "gha-small", drained=True))
    answer = await tools.call("capacity_check", **SMALL)
    assert (answer["pass"], answer["rule"]) == (False, "pool_drained")
    assert (await tools.call("capacity_check", labels=["fly-gha-medium"]))["pass"] is True
    await tools.fleet.store.run(lambda conn: pools.set_fleet_paused(conn, True))
    tools.fleet.clock.at += 2
    assert (await tools.call("capacity_check", labels=["fly-gha-medium"]))["rule"] == "fleet_paused"


async def test_only_what_may_pass_with_time_is_to_be_waited_for(tools):
    await tools.fleet.plan()
    full = await tools.call("capacity_check", **SMALL, jobs=3)
    assert full["next_step"].startswith("wait")
    assert ("until" in full) == ("until" in full["next_step"])
    foreign = await tools.call("capacity_check", **SMALL, repository="elsewhere/api")
    assert foreign["rule"] == "repository_not_allowed"
    assert "waiting does not change this" in foreign["next_step"]
    await tools.fleet.store.run(lambda conn: pools.set_override(conn, "gha-small", drained=True))
    tools.fleet.clock.at += 2
    drained = await tools.call("capacity_check", **SMALL)
    assert (drained["rule"], drained["pool"]) == ("pool_drained", "gha-small")
    assert "only an operator ends it" in drained["next_step"]


async def test_a_stale_view_fails(tools):
    await tools.fleet.plan()
    tools.window.stale = True
    answer = await tools.call("capacity_check", **SMALL)
    assert (answer["pass"], answer["rule"], answer["stale"]) == (False, "view_stale", True)


async def test_a_plan_that_was_never_made_or_is_late_fails(tools):
    assert (await tools.call("capacity_check", **SMALL))["rule"] == "plan_stale"
    await tools.fleet.plan()
    assert (await tools.call("capacity_check", **SMALL))["pass"] is True
    tools.fleet.clock.at += tools.settings.stale_after_s + 1
    tools.fleet.health[0] = LoopHealth("planner", 5.0, passes=9, last_pass_at=tools.fleet.clock.at)
    answer = await tools.call("capacity_check", **SMALL)
    assert (answer["pass"], answer["rule"]) == (False, "plan_stale")


async def test_a_planner_whose_last_pass_failed_fails(tools):
    await tools.fleet.plan()
    tools.fleet.health[0] = LoopHealth("planner", 5.0, passes=1, last_pass_at=NOW, last_error="no store")
    assert (await tools.call("capacity_check", **SMALL))["rule"] == "plan_stale"


@pytest.mark.parametrize("path", ["/v1/status", "/v1/capacity"])
@pytest.mark.parametrize(
    "rule",
    [Rule.DISPATCHER_UNREACHABLE, Rule.DISPATCHER_TIMEOUT, Rule.BREAKER_OPEN, Rule.VIEW_MISSING,
     Rule.REVISION_NOT_REACHED, Rule.DISPATCHER_REFUSED, Rule.ARGUMENT_INVALID],
)  # fmt: skip
async def test_whatever_refuses_the_question_fails_the_gate_and_is_its_rule(tools, path, rule):
    await tools.fleet.plan()
    tools.window.failing[path] = Refused(rule, cause="c", attempted="a", next_step="n")
    answer = await tools.call("capacity_check", **SMALL)
    assert (answer["pass"], answer["rule"], answer["jobs"]) == (False, rule.value, 1)
    assert "do not queue" in answer["next_step"]
    if path == "/v1/status":
        assert "revision" not in answer
        assert answer["stale"] is True


async def test_a_refusal_that_says_how_long_it_holds_keeps_the_gate_shut_until_then(tools):
    await tools.fleet.plan()
    held = Refused(Rule.BREAKER_OPEN, cause="c", attempted="a", next_step="n", retry_after_s=840.0)
    tools.window.failing["/v1/capacity"] = held
    answer = await tools.call("capacity_check", **SMALL)
    assert answer["until"] == rfc3339(tools.fleet.clock.at + 840)
    assert "before until" in answer["next_step"]


async def test_labels_that_no_pool_serves_fail_and_the_nearest_that_are_served_are_offered(tools):
    await tools.fleet.plan()
    answer = await tools.call("capacity_check", labels=["fly-gha-smal"])
    assert (answer["pass"], answer["rule"]) == (False, "labels_unknown")
    assert answer["near_labels"][0] == "fly-gha-small"
    assert 'fly-gha-smal"' not in str(answer)


async def test_a_repository_or_a_pool_that_may_not_be_seen_fails_like_one_that_is_not_there(tools):
    await tools.fleet.plan()
    tools.sees(repositories=("acme/*",))
    hidden = await tools.call("capacity_check", labels=["globex"])
    absent = await tools.call("capacity_check", labels=["nothing"])
    assert hidden == absent
    assert hidden["rule"] == "labels_unknown"
    foreign = await tools.call("capacity_check", **SMALL, repository="globex/api")
    assert foreign["pass"] is False
    assert "globex" not in str(foreign)


async def test_a_limit_of_time_passes_only_when_the_last_job_starts_within_it(tools):
    await tools.fleet.plan()
    in_s = (await tools.call("capacity_check", **SMALL, jobs=2))["last_start"]["in_s"]
    early = await tools.call("capacity_check", **SMALL, jobs=2, within_s=max(1, int(in_s) - 1))
    assert (early["pass"], early["rule"]) == (False, "starts_too_late")
    enough = await tools.call("capacity_check", **SMALL, jobs=2, within_s=int(in_s) + 1)
    assert (enough["pass"], enough["rule"]) == (True, "allowed")


async def test_a_start_that_nobody_can_tell_is_not_within_any_time(tools):
    await tools.fleet.plan()
    answer = await tools.call("capacity_check", **SMALL, jobs=3, within_s=86_400)
    assert (answer["pass"], answer["rule"]) == (False, "pool_at_max")
    assert "start" not in answer["last_start"]
