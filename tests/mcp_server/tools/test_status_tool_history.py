"""runner_history, incident_list, event_search, usage_summary and server_stats."""

import pytest
from api_world import NOW
from status_tool_world import tokens

from mcp_server.caller import Sight
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import events
from runners.wire.times import rfc3339


async def record(tools, *rows):
    def op(conn):
        for at, actor, verb, target, reason in rows:
            events.append(conn, at=at, actor=actor, verb=verb, target=target, reason=reason)

    await tools.fleet.store.run(op)


async def test_a_runner_shows_its_phases_machine_boot_and_events_newest_first(tools):
    await tools.fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=9)
    await record(tools, (NOW - 1, "hook", "moved", "runner/r-1", Reason.OBSERVED))
    answer = await tools.call("runner_history", runner="r-1")
    assert (answer["state"], answer["pool"], answer["job_id"]) == ("busy", "gha-small", 9)
    assert answer["machine"]["app"] == "app-a"
    assert answer["boot"]["seq"] == 1
    assert [event["actor"] for event in answer["events"]] == ["hook", "planner", "planner"]
    assert await tools.call("runner_history", runner="fleet://runners/r-1") == answer


async def test_a_long_life_is_cut_to_the_budget_and_says_how_much_there_is(tools):
    await tools.fleet.add_runner("r-1")
    await record(tools, *((NOW - n, "hook", "moved", "runner/r-1", Reason.OBSERVED) for n in range(60)))
    answer = await tools.call("runner_history", runner="r-1")
    assert tokens(answer) <= tools.settings.answer_soft_tokens
    assert len(answer["events"]) < answer["events_total"] == 62


async def test_a_runner_that_is_hidden_is_not_found_like_one_that_is_not_there(tools):
    await tools.fleet.add_runner("r-9", pool="globex-pool", scope="orgs/globex")
    tools.sees(repositories=("acme/*",))
    said = set()
    for name in ("r-9", "nothing"):
        with pytest.raises(Refused) as refused:
            await tools.call("runner_history", runner=name)
        said.add(str(refused.value))
    assert len(said) == 1
    assert "not_found" in said.pop()


async def test_a_storm_is_one_incident_with_a_count(tools):
    storm = ((NOW - 900 + n, "planner", "retired", f"runner/old-{n}", Reason.NEVER_ONLINE) for n in range(40))
    await record(tools, *storm, (NOW - 5, "planner", "retired", "runner/x", Reason.OUT_OF_MEMORY))
    answer = await tools.call("incident_list")
    assert [(each["reason"], each["count"]) for each in answer["incidents"]] == [
        ("out_of_memory", 1), ("never_online", 40),
    ]  # fmt: skip
    assert answer["total"] == 2
    assert answer["incidents"][1]["meaning"]
    assert answer["incidents"][1]["next_step"]
    rest = await tools.call("incident_list", cursor="out_of_memory")
    assert [each["reason"] for each in rest["incidents"]] == ["never_online"]


async def test_incidents_are_those_of_the_window(tools):
    await record(tools, (NOW - 3 * 86_400, "planner", "retired", "runner/old", Reason.MACHINE_LOST))
    assert (await tools.call("incident_list"))["total"] == 0
    assert (await tools.call("incident_list", window="7d"))["total"] == 1
    since = "2026-11-15T00:00:00Z"
    assert (await tools.call("incident_list", since=since, until="2026-11-16T00:00:00Z"))["total"] == 1


async def test_events_are_found_by_actor_target_verb_reason_and_time(tools):
    await record(
        tools,
        (NOW - 300, "operator:anna", "drained", "pool/gha-web", Reason.OPERATOR_RETIRED),
        (NOW - 200, "planner", "retired", "runner/r-1", Reason.IDLE_TOO_LONG),
        (NOW - 100, "planner", "moved", "job/9", Reason.OBSERVED),
    )
    for filters, verbs in (
        ({}, ["moved", "retired", "drained"]),
        ({"order": "oldest"}, ["drained", "retired", "moved"]),
        ({"actor": "operator:anna"}, ["drained"]),
        ({"target": "pool/gha-web"}, ["drained"]),
        ({"target": "fleet://jobs/9"}, ["moved"]),
        ({"verb": "retired"}, ["retired"]),
        ({"reason": "idle_too_long"}, ["retired"]),
        ({"since": "2026-11-18T11:03:00Z"}, ["moved", "retired"]),
        ({"until": "2026-11-18T11:03:00Z"}, ["drained"]),
    ):
        found = await tools.call("event_search", **filters)
        assert [event["verb"] for event in found["events"]] == verbs, filters


async def test_a_long_trail_is_paged_and_every_event_is_reached_once(tools):
    await record(tools, *((NOW - n, "planner", "moved", f"job/{n}", Reason.OBSERVED) for n in range(1, 151)))
    seen, cursor = [], None
    while True:
        page = await tools.call("event_search", limit=200, **({} if cursor is None else {"cursor": cursor}))
        assert tokens(page) <= tools.settings.answer_soft_tokens
        seen += [event["target"] for event in page["events"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"job/{n}" for n in range(1, 151))


async def test_usage_is_today_by_pool_unless_asked_otherwise_and_the_rest_is_summed(tools):
    for number in range(1, 4):
        name = f"r-{number}"
        await tools.fleet.add_runner(name, state=RunnerState.BUSY, busy_at=NOW - 20, job_id=number)
        await tools.fleet.add_job(
            number, state=JobState.IN_PROGRESS, in_progress_at=NOW - 20, runner_name=name,
            repository=f"acme/r{number}",
        )  # fmt: skip
    today = await tools.call("usage_summary")
    assert today["since"] == "2026-11-18T00:00:00.000Z"
    assert [row["pool"] for row in today["rows"]] == ["gha-small"]
    assert today["total"]["jobs"] == 3
    top = await tools.call("usage_summary", by=["repository"], limit=1)
    assert len(top["rows"]) == 1
    assert top["groups"] >= 3
    assert top["rows"][0]["usd"] + top["others"]["usd"] == pytest.approx(top["total"]["usd"], abs=0.001)


@pytest.mark.parametrize("tool", ["incident_list", "usage_summary"])
async def test_today_begins_at_midnight_utc_wherever_it_may_be_asked_for(tools, tool):
    answer = await tools.call(tool, window="today")
    assert answer["since"] == rfc3339(tools.fleet.clock.at // 86_400 * 86_400)


async def test_a_window_that_makes_no_sense_is_refused(tools):
    with pytest.raises(Refused) as refused:
        await tools.call("usage_summary", since="2026-11-18T10:00:00Z", until="2026-11-18T09:00:00Z")
    assert refused.value.rule is Rule.ARGUMENT_INVALID


async def test_statistics_are_those_of_the_callers_project_and_need_no_dispatcher(tools):
    for path in ("/v1/status", "/v1/jobs"):
        tools.window.failing[path] = Refused(Rule.BREAKER_OPEN, cause="c", attempted="a", next_step="n")
    answer = await tools.call("server_stats", window="30d", tool="queue_list")
    assert tools.stats.asked == [(30 * 86_400.0, "default", None, "queue_list")]
    assert [row["tool"] for row in answer["tools"]] == ["queue_list", "job_explain", "unknown"]
    assert answer["total"]["p99_ms"] == 9.1
    assert answer["repeated_failures"][0]["count"] == 30
    assert answer["unknown_callers"] == 7


async def test_a_caller_who_sees_a_part_sees_their_own_calls_alone(tools):
    tools.sees(pools=("gha-small",))
    assert tools.caller.sight == Sight((), ("gha-small",))
    answer = await tools.call("server_stats", caller="fgs-2")
    assert tools.stats.asked[-1][2] == "fgs-1"
    assert [row["caller"] for row in answer["callers"]] == ["fgs-1"]
    assert {each["caller"] for each in answer["repeated_failures"]} == {"fgs-1"}
    assert "unknown_callers" not in answer
