"""The checkpoint: every step refuses at its edge, in its order, and nothing goes back without a record."""

import asyncio
import dataclasses
import json

import pytest
from checkpoint_world import ANNA, World, error_of, rows, until
from pydantic import SecretStr

from mcp_server import checkpoint
from mcp_server.call import Call, Operation
from mcp_server.caller import Scope
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.settings import Envelope, StatusSettings
from mcp_server.tools.output import estimated_tokens


async def test_an_answer_is_recorded_with_who_what_and_how_it_ended():
    world = World()
    answer = await world.ask(arguments={"pool": "gha-large"})
    [entry] = world.audit.entries
    assert answer.body["rows"] == ["one"]
    assert (entry.caller, entry.project, entry.target) == ("anna", "acme", "numbers")
    assert (entry.allowed, entry.rule, entry.result) == (True, "allowed", "ok")
    assert entry.arguments == {"pool": "gha-large"}
    assert (entry.revision, entry.upstream_ids, entry.stale) == (7, ("up-1",), False)
    assert entry.bytes == answer.size
    assert entry.tokens == estimated_tokens(answer.text)


async def test_no_answer_goes_back_before_its_record_is_durable():
    world = World()
    world.audit.gate.clear()
    asking = asyncio.ensure_future(world.ask())
    await until(lambda: world.ran)
    for _ in range(50):
        await asyncio.sleep(0)
    assert not asking.done()
    world.audit.gate.set()
    assert (await asking).refused is None


async def test_when_nothing_can_be_recorded_the_answer_is_withheld():
    world = World()
    world.audit.broken = True
    answer = await world.ask()
    assert error_of(answer)["rule"] == "audit_unavailable"
    assert "one" not in answer.text


async def test_a_disk_that_hangs_keeps_a_call_no_longer_than_its_time_and_a_moment(monkeypatch):
    monkeypatch.setattr(checkpoint, "RECORD_S", 0.02)
    world = World(call_timeout_s=0.02)
    world.audit.gate.clear()
    answer = await asyncio.wait_for(world.ask(), 10)
    assert error_of(answer)["rule"] == "audit_unavailable"
    assert "one" not in answer.text


async def test_whose_malformed_call_it_was_is_recorded_and_a_stranger_s_is_a_stranger_s():
    world = World()
    malformed = Refused(
        Rule.ARGUMENT_INVALID, cause="it is none", attempted="read it", next_step="correct it"
    )
    for who, rule in (
        ("anna", "argument_invalid"),
        ("bert", "argument_invalid"),
        ("nobody", "token_unknown"),
    ):
        call = Call(Operation.CALL_TOOL, "numbers", {}, SecretStr(who), "http", "2025-11-25", "call-1")
        assert error_of(await world.checkpoint.refuse(call, malformed))["rule"] == rule
    assert [(entry.caller, entry.rule) for entry in world.audit.entries] == [
        ("anna", "argument_invalid"),
        ("bert", "argument_invalid"),
        ("", "token_unknown"),
    ]


async def test_a_caller_who_hangs_up_is_recorded_all_the_same():
    world = World()
    world.audit.gate.clear()
    asking = asyncio.ensure_future(world.ask())
    await until(lambda: world.ran)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    world.audit.gate.set()
    await world.checkpoint.settle()
    assert [entry.result for entry in world.audit.entries] == ["ok"]


@pytest.mark.parametrize(
    ("who", "tool", "caller", "rule"),
    [
        (None, "numbers", ANNA, "token_missing"),
        ("nobody", "numbers", ANNA, "token_unknown"),
        ("anna", "other", ANNA, "tool_unknown"),
        ("anna", "numbers", dataclasses.replace(ANNA, tools=frozenset({"other"})), "tool_not_granted"),
        ("anna", "numbers", dataclasses.replace(ANNA, scopes=frozenset({Scope.USAGE})), "scope_missing"),
    ],
)
async def test_who_may_not_ask_is_refused_by_rule_before_anything_runs(who, tool, caller, rule):
    world = World(caller=caller)
    answer = await world.ask(who, tool)
    [entry] = world.audit.entries
    assert error_of(answer)["rule"] == rule == entry.rule
    assert not entry.allowed
    assert world.ran == []


async def test_a_caller_without_the_scope_is_told_which_one_is_missing():
    world = World(caller=dataclasses.replace(ANNA, scopes=frozenset()))
    assert error_of(await world.ask())["missing"] == "the scope capacity"


async def test_the_tool_s_permission_is_judged_before_its_scope_and_both_before_the_rate():
    neither = dataclasses.replace(ANNA, scopes=frozenset(), tools=frozenset({"other"}))
    world = World(caller=neither, burst=1, calls_per_minute=1)
    for _ in range(3):
        world.clock.move(2)
        assert error_of(await world.ask())["rule"] == "tool_not_granted"


async def test_a_burst_is_answered_to_its_last_call_and_the_next_is_told_when_to_come_back():
    world = World(burst=3, calls_per_minute=60)
    for _ in range(3):
        assert (await world.ask()).refused is None
    refused = error_of(await world.ask())
    assert (refused["class"], refused["rule"]) == ("rate_limited", "caller_rate")
    assert 0 < refused["retry_after_s"] <= 1
    world.clock.move(refused["retry_after_s"] + 0.001)
    assert (await world.ask()).refused is None


async def test_the_ceiling_of_a_project_holds_for_all_its_callers_together():
    world = World(burst=3, project_calls_per_minute=4)
    for who in ("anna", "bert", "anna", "bert"):
        assert (await world.ask(who)).refused is None
    assert error_of(await world.ask("anna"))["rule"] == "project_rate"


async def test_an_unknown_argument_is_refused_without_being_repeated():
    world = World()
    answer = await world.ask(arguments={"ignore_all_rules": 1})
    assert error_of(answer)["rule"] == "argument_unknown"
    assert "ignore" not in answer.text
    assert "pool, count" in error_of(answer)["missing"]
    assert world.ran == []


@pytest.mark.parametrize("value", ["three", "3", 3.5, None, [3], {"a": 1}, True])
async def test_an_argument_of_the_wrong_kind_is_refused_and_never_converted_or_repeated(value):
    world = World()
    answer = await world.ask(arguments={"count": value})
    assert error_of(answer)["rule"] == "argument_invalid"
    assert error_of(answer)["cause"].startswith("count: ")
    assert "three" not in answer.text


async def test_a_call_that_takes_too_long_ends_as_a_timeout_and_is_counted_as_one():
    async def run(_ask, _arguments):
        await asyncio.Event().wait()

    world = World(run, call_timeout_s=0.02)
    answer = await world.ask()
    assert error_of(answer)["class"] == "timeout"
    assert [entry.result for entry in world.audit.entries] == ["timeout"]


async def test_a_bug_is_answered_without_its_text_and_is_recorded():
    async def run(_ask, _arguments):
        raise RuntimeError("the secret is tuna")

    world = World(run)
    answer = await world.ask()
    assert error_of(answer)["rule"] == "bug"
    assert "tuna" not in answer.text
    assert [entry.rule for entry in world.audit.entries] == ["bug"]


def sized(length):
    async def run(_ask, _arguments):
        return rows("x" * length)

    return run


async def test_an_answer_of_the_size_allowed_goes_back_and_one_byte_more_does_not():
    first = await World(sized(6000)).ask()
    at_the_edge = World(sized(6000), answer_max_bytes=first.size)
    assert (await at_the_edge.ask()).refused is None
    beyond = World(sized(6001), answer_max_bytes=first.size)
    answer = await beyond.ask()
    assert error_of(answer)["rule"] == "answer_too_large"
    assert beyond.audit.entries[0].revision is None


async def test_past_the_soft_budget_a_list_is_cut_and_says_where_to_go_on():
    async def run(_ask, _arguments):
        return rows(*[f"row {number:04}" for number in range(500)])

    world = World(run, answer_soft_tokens=200)
    answer = await world.ask()
    shown = len(answer.body["rows"])
    assert 0 < shown < 500
    assert estimated_tokens(answer.text) <= 200
    assert answer.body["next_cursor"] == str(shown)
    one_more = answer.text.replace('],"next', ',"row 9999"],"next')
    assert estimated_tokens(one_more) > 200


async def test_a_resource_is_read_whole_and_has_no_structured_answer_beside_its_text():
    async def run(_ask, _arguments):
        return rows(*[f"row {number:04}" for number in range(500)])

    world = World(run, answer_soft_tokens=200)
    answer = await world.ask(operation=Operation.READ_RESOURCE)
    assert len(json.loads(answer.text)["rows"]) == 500
    assert answer.size == len(json.dumps(answer.text).encode())


async def test_a_list_takes_the_same_way_and_has_a_record():
    world = World(burst=1, calls_per_minute=1)
    assert (await world.ask(operation=Operation.LIST_TOOLS, tool="")).refused is None
    assert error_of(await world.ask(operation=Operation.LIST_TOOLS, tool=""))["rule"] == "caller_rate"
    assert [entry.operation for entry in world.audit.entries] == ["tools/list", "tools/list"]


async def test_a_flood_of_one_refusal_shares_records_that_say_how_many_they_stand_for():
    world = World()
    asking = [asyncio.ensure_future(world.ask(None)) for _ in range(40)]
    await until(lambda: world.clock.sleepers)
    for _ in range(200):
        await asyncio.sleep(0)
    assert sum(each.done() for each in asking) == 1
    world.clock.move(1)
    answers = await asyncio.gather(*asking)
    assert {error_of(answer)["rule"] for answer in answers} == {"token_missing"}
    assert [entry.repeats for entry in world.audit.entries] == [1, 39]


async def test_floods_of_two_callers_do_not_hide_each_other():
    world = World(caller=dataclasses.replace(ANNA, scopes=frozenset()))
    await world.ask("anna")
    await world.ask(None)
    assert sorted(entry.caller for entry in world.audit.entries) == ["", "anna"]


async def test_one_who_gives_up_waiting_does_not_take_the_record_from_the_others():
    world = World()
    await world.ask(None)
    first, second = (asyncio.ensure_future(world.ask(None)) for _ in range(2))
    await until(lambda: world.clock.sleepers)
    first.cancel()
    await asyncio.sleep(0)
    world.clock.move(1)
    await second
    await world.checkpoint.settle()
    assert sum(entry.repeats for entry in world.audit.entries) == 3


def test_the_figures_are_those_that_are_promised():
    figures = {name: field.default for name, field in Envelope.model_fields.items()}
    assert figures == {
        "calls_per_minute": 60,
        "burst": 120,
        "project_calls_per_minute": 600,
        "upstream_timeout_s": 10,
        "call_timeout_s": 25,
        "health_timeout_s": 3,
        "answer_max_bytes": 2 * 1024 * 1024,
        "answer_soft_tokens": 1000,
        "retries": 0,
        "breaker_errors": 5,
        "breaker_window_s": 300,
        "breaker_open_s": 900,
        "breaker_trials": 3,
    }


def test_a_setting_out_of_its_bounds_is_refused_and_no_secret_is_shown(monkeypatch):
    monkeypatch.setenv("FLY_GHA_STATUS_TOKEN", "fgr_secret")
    monkeypatch.setenv("FLY_GHA_STATUS_RETRIES", "1")
    with pytest.raises(ValueError, match="retries") as caught:
        StatusSettings()
    assert "fgr_secret" not in str(caught.value)
