"""What statistics tell: percentiles near the exact ones, every end counted once, storms as one incident."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stats_world import DAY, HOUR, NOON, SetClock, a_call, a_stats, asked, nearest_rank, refused, seen

from mcp_server.rule import ErrorClass
from mcp_server.stats.counting import CALLERS_MAX
from mcp_server.stats.failing import TABLE_MAX
from mcp_server.stats.question import FAILING_TOLD
from mcp_server.stats.sketch import RELATIVE_ERROR, SHORTEST_MS, bucket, percentile
from mcp_server.stats.summary import OTHER, UNKNOWN
from mcp_server.stats.tally import Tally, thawed

DRAWS = {
    "even": lambda draw: draw.uniform(0.1, 500),
    "long tail": lambda draw: draw.lognormvariate(1.0, 1.5),
    "two humps": lambda draw: draw.gauss(2, 0.1) if draw.random() < 0.9 else draw.gauss(9000, 100),
    "few values": lambda draw: draw.choice([1.0, 2.0, 25_000.0]),
}


@pytest.mark.parametrize("kind", DRAWS)
@pytest.mark.parametrize("number", [1, 2, 99, 100, 101, 5000])
def test_percentiles_are_within_the_stated_error_of_the_exact_ones(kind, number):
    draw = random.Random(number)
    durations = [max(0.02, DRAWS[kind](draw)) for _ in range(number)]
    stats = a_stats()
    seen(stats, *(a_call(duration_ms=ms, at=NOON - draw.uniform(0, 20 * HOUR)) for ms in durations))
    row = asked(stats).total
    for told, share in ((row.p50_ms, 0.50), (row.p95_ms, 0.95), (row.p99_ms, 0.99)):
        assert told == pytest.approx(nearest_rank(durations, share), rel=RELATIVE_ERROR * 1.0001)


@given(st.floats(SHORTEST_MS, 3_000_000.0))
def test_a_bucket_is_within_the_stated_error_of_whatever_falls_into_it(ms):
    assert percentile({bucket(ms): 1}, 0.5) == pytest.approx(ms, rel=RELATIVE_ERROR * 1.0001)


@pytest.mark.parametrize("ms", [0.0, -1.0, 1e-9, math.nan, math.inf, 1e300])
def test_a_duration_that_makes_no_sense_still_counts_in_some_bucket(ms):
    assert percentile({bucket(ms): 1}, 0.5) >= SHORTEST_MS


def test_no_calls_have_no_percentiles():
    row = asked(a_stats()).total
    assert (row.calls, row.p50_ms, row.errors) == (0, None, {})


COUNTS = st.dictionaries(st.integers(0, 999), st.integers(1, 10_000_000), max_size=20)


@given(COUNTS, COUNTS, st.dictionaries(st.sampled_from(["a/upstream", "b/validation"]), st.integers(1, 9)))
def test_a_frozen_tally_is_the_living_one_and_adding_either_is_the_same(durations, others, ends):
    one, two = Tally(), Tally()
    one.durations, one.ends = dict(durations), dict(ends)
    one.calls, one.repeats, one.bytes_sum, one.bytes_max = 7, 3, 2**40, 2**21
    two.durations, two.calls = dict(others), 1
    assert thawed(one.frozen()).frozen() == one.frozen()
    assert thawed(one.frozen()).row("x") == one.row("x")
    living, frozen = thawed(two.frozen()), thawed(two.frozen())
    living.add(one)
    frozen.add(one.frozen())
    assert living.frozen() == frozen.frozen()


@pytest.mark.parametrize("frozen", [b"", b"x" * 10, b"\xff" * 60])
def test_bytes_that_are_no_tally_are_refused(frozen):
    with pytest.raises(ValueError, match=r".*"):
        thawed(frozen)


def test_every_end_of_a_call_is_counted_under_its_own_name():
    stats = a_stats()
    seen(
        stats,
        a_call(),
        refused("argument_invalid", "validation"),
        refused("call_deadline", "timeout"),
        refused("dispatcher_timeout", "upstream"),
        refused("dispatcher_failed", "upstream"),
        refused("caller_rate", "rate_limited"),
        refused("scope_missing", "permission"),
        refused("token_ended", "authentication"),
    )
    row = asked(stats).total
    assert row.calls == 8
    assert row.errors == {
        ErrorClass.VALIDATION: 1,
        ErrorClass.TIMEOUT: 1,
        ErrorClass.UPSTREAM: 2,
        ErrorClass.RATE_LIMITED: 1,
        ErrorClass.PERMISSION: 1,
        ErrorClass.AUTHENTICATION: 1,
    }
    assert (row.schema_failures, row.timeouts) == (1, 2)
    assert (row.rejected_rate, row.rejected_permission, row.rejected_authentication) == (1, 1, 1)


def test_calls_turned_away_at_the_gate_are_not_in_the_percentiles():
    stats = a_stats()
    seen(stats, a_call(duration_ms=100.0))
    seen(stats, *(refused("caller_rate", "rate_limited", duration_ms=0.1) for _ in range(50)))
    assert asked(stats).total.p50_ms == pytest.approx(100, rel=RELATIVE_ERROR)


def test_bytes_and_tokens_are_summed_and_the_longest_answer_is_told():
    stats = a_stats()
    seen(stats, a_call(bytes=100, tokens=25), a_call(bytes=900, tokens=225, target="job_explain"))
    row = asked(stats).total
    assert (row.bytes_sum, row.bytes_max, row.tokens_sum, row.tokens_max) == (1000, 900, 250, 225)
    assert asked(stats, tool="queue_list").total.bytes_max == 100


def test_rows_are_per_tool_and_per_caller_with_most_calls_first():
    stats = a_stats()
    seen(stats, *(a_call(caller="one", caller_name="first") for _ in range(3)))
    seen(stats, *(a_call(caller="two", target="job_explain") for _ in range(2)))
    seen(stats, a_call(caller="one", caller_name="first", target="job_explain"))
    found = asked(stats)
    assert [(row.key, row.calls) for row in found.by_tool] == [("job_explain", 3), ("queue_list", 3)]
    assert [(row.key, row.name, row.calls) for row in found.by_caller] == [
        ("one", "first", 4),
        ("two", "agent", 2),
    ]


def test_a_caller_or_a_tool_that_is_asked_for_leaves_the_others_out():
    stats = a_stats()
    for caller in ("one", "two"):
        for tool in ("queue_list", "job_explain"):
            seen(stats, *(a_call(caller=caller, target=tool) for _ in range(2 + (caller == "one"))))
    one = asked(stats, caller="one")
    assert one.total.calls == 6
    assert [(row.key, row.calls) for row in one.by_tool] == [("job_explain", 3), ("queue_list", 3)]
    assert [row.key for row in one.by_caller] == ["one"]
    both = asked(stats, caller="two", tool="queue_list")
    assert both.total.calls == 2
    assert [(row.key, row.calls) for row in both.by_tool] == [("queue_list", 2)]
    assert [(row.key, row.calls) for row in both.by_caller] == [("two", 2)]
    assert asked(stats, caller="nobody").total.calls == 0


def test_one_project_is_never_told_of_another():
    stats = a_stats()
    seen(
        stats,
        a_call(project="ours"),
        *(refused("not_found", "not_found", project="theirs") for _ in range(5)),
    )
    found = asked(stats, project="ours")
    assert found.total.calls == 1
    assert found.failing == ()
    assert len(found.by_caller) == 1


def test_calls_of_nobody_are_counted_for_the_whole_server_and_in_no_project():
    stats = a_stats()
    seen(
        stats, *(refused("token_unknown", "authentication", project="", caller="anonymous") for _ in range(9))
    )
    found = asked(stats)
    assert (found.unknown_callers, found.total.calls) == (9, 0)
    assert [(each.caller, each.count) for each in found.failing] == [("anonymous", 9)]


def test_a_storm_of_one_failure_is_one_incident_with_a_count():
    stats = a_stats()
    seen(stats, *(refused("argument_invalid", "validation", at=NOON - 60 + n) for n in range(50)))
    seen(stats, refused("argument_invalid", "validation", arguments={"pool": "other"}))
    seen(stats, refused("not_found", "not_found"))
    found = asked(stats)
    assert [(each.tool, each.rule, each.count) for each in found.failing] == [
        ("queue_list", "argument_invalid", 50)
    ]
    assert (found.failing[0].first_at, found.failing[0].last_at) == (NOON - 60, NOON - 11)
    assert found.total.repeats == 49


def test_the_order_of_arguments_makes_no_other_call():
    stats = a_stats()
    seen(stats, refused("not_found", "not_found", arguments={"a": 1, "b": 2}))
    seen(stats, refused("not_found", "not_found", arguments={"b": 2, "a": 1}))
    assert asked(stats).failing[0].count == 2


def test_a_record_that_stands_for_several_refusals_counts_them_all():
    stats = a_stats()
    seen(stats, refused("caller_rate", "rate_limited", repeats=41, bytes=10))
    found = asked(stats)
    assert (found.total.calls, found.total.rejected_rate, found.total.repeats) == (41, 41, 40)
    assert found.total.bytes_sum == 410
    assert found.failing[0].count == 41


def test_a_flood_of_different_failures_is_bounded_and_hides_no_storm():
    stats = a_stats()
    seen(stats, *(refused("call_deadline", "timeout", arguments={"storm": 1}) for _ in range(30)))
    seen(stats, *(refused("not_found", "not_found", arguments={"n": n}) for n in range(5 * TABLE_MAX)))
    assert asked(stats).failing[0].count == 30
    spans = stats._open.spans.values()
    assert max(len(span.failing.table) for span in spans) <= TABLE_MAX


def test_no_more_storms_are_told_than_anybody_reads_and_the_largest_first():
    stats = a_stats()
    for number in range(FAILING_TOLD * 2):
        again = refused("not_found", "not_found", arguments={"n": number})
        seen(stats, *([again] * (2 + number)))
    counts = [each.count for each in asked(stats).failing]
    assert counts == sorted(counts, reverse=True)
    assert (len(counts), counts[0]) == (FAILING_TOLD, FAILING_TOLD * 2 + 1)


def test_names_that_others_chose_never_become_keys():
    stats = a_stats()
    seen(
        stats,
        refused("tool_unknown", "validation", target="ignore all rules"),
        a_call(operation="resources/read", target="fleet://jobs/77"),
        a_call(operation="resources/read", target="fleet://jobs/78"),
        refused("resource_unknown", "validation", operation="resources/read", target="file:///etc/passwd"),
        a_call(operation="tools/list", target=""),
    )
    assert {row.key: row.calls for row in asked(stats).by_tool} == {
        UNKNOWN: 2,
        "fleet://jobs/{id}": 2,
        "tools/list": 1,
    }


def test_callers_beyond_the_number_told_apart_are_counted_together():
    stats = a_stats()
    seen(stats, *(a_call(caller=f"caller-{number}") for number in range(CALLERS_MAX + 20)))
    found = asked(stats)
    assert found.total.calls == CALLERS_MAX + 20
    assert {row.key: row.calls for row in found.by_caller}[OTHER] == 20


def test_callers_who_have_been_away_longer_than_a_month_make_room():
    clock = SetClock()
    stats = a_stats(clock)
    seen(stats, *(a_call(caller=f"old-{number}") for number in range(CALLERS_MAX)))
    clock.time += 40 * DAY
    seen(stats, a_call(caller="new", at=clock.time))
    assert [row.key for row in asked(stats).by_caller] == ["new"]


def test_the_logs_own_remarks_are_no_calls():
    stats = a_stats()
    seen(stats, a_call(operation="audit/opened", target=""))
    assert asked(stats).total.calls == 0
