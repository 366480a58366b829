"""A cursor is the last row's own handle: whoever shows only the first few rows goes on after any of them."""

import pytest
from api_world import NOW, payload

from runners.model.states import JobState, RunnerState
from runners.store import jobs, runners
from runners.wire.problem import Problem


async def handles(client, route, rows, handle, shown, **asked):
    """Every handle of a route, by a reader who shows only ``shown`` rows of each page."""
    seen, cursor = [], None
    while True:
        query = asked | {"limit": 3} | ({} if cursor is None else {"cursor": cursor})
        page = (await client.get(route, params=query)).json()
        found = [row[handle] for row in page[rows]]
        seen += found[:shown]
        if len(found) <= shown and (page["next_cursor"] is None or not found):
            return seen
        cursor = found[:shown][-1]
        assert len(seen) < 50, "this never ends"


@pytest.mark.parametrize("shown", [1, 2, 3])
async def test_jobs_go_on_after_any_row_in_both_orders(world, shown):
    for age, number in enumerate((2, 4, 1, 5, 3)):
        await world.add_job(number, accepted_at=NOW - age // 2)
    client = await world.reader()
    assert await handles(client, "/v1/jobs", "jobs", "id", shown) == [5, 4, 3, 2, 1]
    assert await handles(client, "/v1/jobs", "jobs", "id", shown, order="oldest") == [3, 1, 5, 2, 4]


@pytest.mark.parametrize("shown", [1, 2, 3])
async def test_runners_go_on_after_any_row(world, shown):
    for number in range(1, 6):
        await world.add_runner(f"r-{number}")
    client = await world.reader()
    assert await handles(client, "/v1/runners", "runners", "name", shown) == [
        f"r-{n}" for n in (5, 4, 3, 2, 1)
    ]


@pytest.mark.parametrize("shown", [1, 2, 3])
async def test_events_go_on_after_any_row(world, shown):
    for number in range(1, 6):
        await world.deliver(payload(number))
    client = await world.reader()
    everything = [event.seq for event in await world.events()]
    assert await handles(client, "/v1/events", "events", "seq", shown) == everything
    backwards = await handles(client, "/v1/events", "events", "seq", shown, order="newest")
    assert backwards == everything[::-1]


async def test_the_queue_goes_on_from_a_job_that_has_left_it(world):
    for number in (3, 2, 1):
        await world.add_job(number, accepted_at=NOW - number)
    client = await world.reader()
    await world.store.run(
        lambda conn: jobs.move(conn, 2, JobState.COMPLETED, at=NOW, actor="webhook", reason="job_completed")
    )
    page = (await client.get("/v1/jobs?order=oldest&cursor=2")).json()
    assert [job["id"] for job in page["jobs"]] == [1]


@pytest.mark.parametrize("route", ["/v1/jobs?order=oldest&cursor=77", "/v1/runners?cursor=r-gone"])
async def test_a_handle_that_is_not_known_any_more_is_refused_with_begin_again(world, route):
    await world.add_job(1)
    answer = await (await world.reader()).get(route)
    assert answer.status_code == 422
    problem = Problem.model_validate(answer.json())
    assert problem.reason == "cursor_unknown"
    assert "begin again" in problem.next_step


async def test_a_job_that_may_not_be_seen_is_no_cursor_just_like_one_that_is_not_there(world):
    await world.add_job(1, repository="acme/secret")
    client = await world.reader(repositories=("acme/api",))
    answers = [await client.get(f"/v1/jobs?order=oldest&cursor={number}") for number in (1, 2)]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert answers[0].json() == answers[1].json()


@pytest.mark.parametrize("route", ["/v1/jobs", "/v1/jobs?order=oldest", "/v1/events"])
@pytest.mark.parametrize("cursor", ["x", "-1", "1.5:7", "9" * 19, "²"])
async def test_a_forged_cursor_is_refused(world, route, cursor):
    client = await world.reader()
    mark = "&" if "?" in route else "?"
    assert (await client.get(f"{route}{mark}cursor={cursor}")).status_code == 422


async def test_the_queue_tells_how_many_match_on_all_pages(world):
    for number in range(1, 8):
        await world.add_job(number, repository="acme/api" if number % 2 else "acme/secret")
    await world.add_job(8, pool="gha-medium")
    client = await world.reader()

    async def total(query, reader=client):
        return (await reader.get(f"/v1/jobs?limit=2&{query}")).json()["total"]

    assert await total("order=oldest") == 8
    assert await total("order=oldest&cursor=3") == 8
    assert await total("order=oldest&pool=gha-small&repository=acme/secret") == 3
    assert await total("order=newest") is None
    limited = await world.reader(repositories=("acme/secret",))
    assert await total("order=oldest", limited) == 3


async def test_runners_are_counted_unless_that_would_mean_reading_every_one(world):
    for number in range(1, 4):
        await world.add_runner(f"r-{number}")
    await world.add_runner("r-m", pool="gha-medium")
    await world.store.run(
        lambda conn: [
            runners.move(conn, "r-1", state, at=NOW, actor="planner", reason="surplus")
            for state in (RunnerState.RETIRING, RunnerState.GONE)
        ]
    )

    async def total(query, **limits):
        client = await world.reader(**limits)
        return (await client.get(f"/v1/runners?limit=1&{query}")).json()["total"]

    assert await total("") == 3
    assert await total("state=gone") == 1
    assert await total("pool=gha-small&cursor=r-3") == 2
    assert await total("", pools=("gha-medium",)) == 1
    assert await total("", repositories=("acme/api",)) is None


async def test_one_runs_jobs_are_listed_in_both_orders(world):
    for number, run in ((1, 70), (2, 70), (3, 80)):
        await world.add_job(number, run_id=run)
    client = await world.reader()
    for order, expected in (("newest", [2, 1]), ("oldest", [1, 2])):
        page = (await client.get(f"/v1/jobs?run_id=70&order={order}")).json()
        assert [job["id"] for job in page["jobs"]] == expected
    assert (await client.get("/v1/jobs?run_id=99")).json()["jobs"] == []
    assert (await client.get("/v1/jobs?run_id=0")).status_code == 422
