"""Events are found by reason and by time, together with everything else that can be asked for."""

import pytest
from api_world import NOW

from runners.model.reason import Reason
from runners.store import events
from runners.wire.problem import Problem
from runners.wire.times import rfc3339


@pytest.fixture
async def log(world):
    """Events 1 to 6, ten seconds apart; odd ones are mints that were lost, even ones were observed."""

    def op(conn):
        for number in range(1, 7):
            events.append(
                conn,
                at=NOW + number * 10,
                actor="planner",
                verb="moved",
                target=f"runner/r-{number}",
                reason=Reason.MINT_LOST if number % 2 else Reason.OBSERVED,
            )

    await world.store.run(op)
    return world


async def found(client, **query):
    answer = await client.get("/v1/events", params=query)
    assert answer.status_code == 200, answer.text
    return [int(event["target"].removeprefix("runner/r-")) for event in answer.json()["events"]]


async def test_events_are_found_by_reason(log):
    client = await log.reader()
    assert await found(client, reason="mint_lost") == [1, 3, 5]
    assert await found(client, reason="mint_lost", order="newest", limit=2) == [5, 3]
    assert await found(client, reason="too_old") == []


async def test_a_window_has_its_begin_and_not_its_end(log):
    client = await log.reader()
    assert await found(client, since=NOW + 20, until=NOW + 50) == [2, 3, 4]
    assert await found(client, since=rfc3339(NOW + 20), until=rfc3339(NOW + 50)) == [2, 3, 4]
    assert await found(client, since=NOW + 50) == [5, 6]
    assert await found(client, until=NOW + 20, order="newest") == [1]
    assert await found(client, until=NOW + 50, reason="observed", actor="planner", target="runner/r-4") == [4]


@pytest.mark.parametrize("order", ["oldest", "newest"])
async def test_a_window_is_paged_without_gap_or_repeat(log, order):
    client = await log.reader()
    query = {"since": NOW + 20, "until": NOW + 60, "order": order, "limit": 1}
    seen, cursor = [], None
    for _ in range(4):
        page = (await client.get("/v1/events", params=query | ({"cursor": cursor} if cursor else {}))).json()
        seen += [event["seq"] for event in page["events"]]
        cursor = page["next_cursor"]
    assert sorted(seen) == [2, 3, 4, 5]
    assert seen == sorted(seen, reverse=order == "newest")
    rest = (await client.get("/v1/events", params=query | {"cursor": cursor})).json()
    assert rest["events"] == []


@pytest.mark.parametrize(
    "query",
    [
        {"since": "yesterday"}, {"since": "2026-11-18T11:00:00"}, {"until": "x" * 41}, {"until": "-1"},
        {"since": "NaN"}, {"since": "1e400"}, {"reason": "no_such"}, {"reason": "MINT_LOST"},
        {"reason": "\x00"},
        {"since": "20", "until": "10"}, {"since": "10", "until": "10"},
    ],
)  # fmt: skip
async def test_a_time_or_a_reason_that_is_none_is_refused(log, query):
    answer = await (await log.reader()).get("/v1/events", params=query)
    assert answer.status_code == 422
    assert Problem.model_validate(answer.json()).reason == "request_invalid"


async def test_near_reasons_are_offered_and_what_was_sent_is_not_quoted(log):
    problem = (await (await log.reader()).get("/v1/events?reason=mint_losst")).json()
    assert "did you mean mint_lost" in problem["next_step"]
    assert "mint_losst" not in str(problem)


async def test_what_may_not_be_seen_is_not_found_by_reason_or_time_either(log):
    client = await log.reader(pools=("gha-small",))
    assert await found(client, reason="mint_lost", since=NOW) == []
