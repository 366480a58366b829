"""A token limited to repositories or pools: what it may not see is not listed, counted, streamed or found."""

import pytest
from api_world import NOW, payload

from runners.api.sight import Sight
from runners.model.states import JobState, RunnerState

SECRET_WORDS = ("acme/secret", "globex", "r-secret", "r-globex")


@pytest.fixture
async def two_worlds(world):
    """Jobs 1 (acme/api), 2 (acme/secret) and 3 (globex/app), each also running on a runner of its own."""
    for number, (repository, pool, labels, scope, name) in enumerate(
        [
            ("acme/api", "gha-small", ("fly-gha-small",), "orgs/acme", "r-api"),
            ("acme/secret", "gha-small", ("fly-gha-small",), "orgs/acme", "r-secret"),
            ("globex/app", "globex-pool", ("globex",), "orgs/globex", "r-globex"),
        ],
        start=1,
    ):
        await world.add_runner(name, pool=pool, scope=scope)
        await world.deliver(payload(number, repository=repository, labels=labels))
        running = payload(number + 10, "in_progress", repository=repository, labels=labels, runner_name=name)
        await world.deliver(running)
    await world.plan()
    return world


async def everything(client, *more):
    routes = (
        "/v1/status", "/v1/pools", "/v1/jobs", "/v1/jobs?order=oldest", "/v1/runners", "/v1/events",
        "/v1/events?order=newest", "/v1/usage?by=repository&by=workflow&by=pool", "/metrics", *more,
    )  # fmt: skip
    return {route: await client.get(route) for route in routes}


async def test_a_repository_limit_hides_other_repositories_everywhere(two_worlds):
    client = await two_worlds.reader(repositories=("acme/api",))
    answers = await everything(client)
    assert {answer.status_code for answer in answers.values()} == {200}
    for route, answer in answers.items():
        for word in SECRET_WORDS:
            assert word not in answer.text, (route, word)


async def test_counts_are_of_what_may_be_seen(two_worlds):
    status = (await (await two_worlds.reader(repositories=("acme/api",))).get("/v1/status")).json()
    assert (status["queue"]["queued"], status["queue"]["in_progress"]) == (1, 1)
    assert status["runners"]["busy"] == 1
    pool = status["pools"][0]
    assert pool["queue"]["queued"] == pool["runners"]["busy"] == 1
    # Capacity is the pool's: what others use is not there to be had.
    assert pool["live_machines"] == 2
    whole = (await (await two_worlds.reader()).get("/v1/status")).json()
    assert (whole["queue"]["queued"], whole["runners"]["busy"]) == (3, 3)


async def test_what_may_not_be_seen_is_not_found_just_like_what_is_not_there(two_worlds):
    client = await two_worlds.reader(repositories=("acme/api",))
    for hidden, absent in [
        ("/v1/jobs/2", "/v1/jobs/99"),
        ("/v1/runners/r-secret", "/v1/runners/r-absent"),
        ("/v1/pools/globex-pool", "/v1/pools/absent-pool"),
        ("/v1/jobs?pool=globex-pool", "/v1/jobs?pool=absent-pool"),
    ]:
        answers = [await client.get(hidden), await client.get(absent)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()
    assert (await client.get("/v1/jobs/1")).status_code == 200
    assert (await client.get("/v1/runners/r-api")).status_code == 200


async def test_filters_do_not_reach_around_the_limit(two_worlds):
    client = await two_worlds.reader(repositories=("acme/api",))
    for query in ("repository=acme/secret", "label=globex", "pool=gha-small&repository=acme/secret"):
        assert (await client.get(f"/v1/jobs?{query}")).json()["jobs"] == []
    for target in ("job/2", "runner/r-secret", "machine/m-r-secret", "pool/globex-pool", "webhook"):
        assert (await client.get(f"/v1/events?target={target}")).json()["events"] == []
    assert (await client.get("/v1/events?target=job/1")).json()["events"] != []


async def test_a_pool_limit_hides_other_pools_everywhere(two_worlds):
    client = await two_worlds.reader(pools=("globex-pool",))
    answers = await everything(client, "/v1/jobs/3", "/v1/runners/r-globex")
    assert {answer.status_code for answer in answers.values()} == {200}
    for route, answer in answers.items():
        for word in ("acme", "gha-small", "r-api"):
            assert word not in answer.text, (route, word)
    assert (await client.get("/v1/jobs/1")).status_code == 404


async def test_both_limits_together_show_only_what_passes_both(two_worlds):
    client = await two_worlds.reader(pools=("globex-pool",), repositories=("acme/*",))
    assert (await client.get("/v1/jobs")).json()["jobs"] == []
    assert (await client.get("/v1/pools")).json()["pools"] == []


async def test_a_refused_job_is_seen_by_its_repositorys_readers_only(two_worlds):
    await two_worlds.deliver(payload(50, labels=["fly-gha-huge"]))
    await two_worlds.deliver(payload(51, labels=["fly-gha-huge"], repository="acme/secret"))
    client = await two_worlds.reader(repositories=("acme/api",))
    assert (await client.get("/v1/jobs/50")).status_code == 200
    assert (await client.get("/v1/jobs/51")).status_code == 404
    by_pool = await two_worlds.reader(pools=("gha-small",))
    assert (await by_pool.get("/v1/jobs/50")).status_code == 404


async def test_an_idle_runner_that_has_run_nothing_is_seen_with_its_pool(two_worlds):
    await two_worlds.add_runner("r-idle")
    client = await two_worlds.reader(repositories=("acme/api",))
    assert (await client.get("/v1/runners/r-idle")).status_code == 200


async def test_a_loops_error_may_name_anything_and_is_for_the_unlimited(world):
    health = type(world.health[0])
    world.health = [health("planner", 5.0, failures=1, last_error="HTTP 404 for acme/secret\nmore")]
    limited = (await (await world.reader(pools=("gha-small",))).get("/v1/status")).json()["loops"]
    whole = (await (await world.reader()).get("/v1/status")).json()["loops"]
    assert (limited[0]["state"], limited[0]["last_error"]) == ("failing", "")
    assert whole[0]["last_error"] == "HTTP 404 for acme/secret"


async def test_a_page_that_hides_much_still_comes_with_a_cursor_and_no_gap(world):
    for number in range(1, 41):
        await world.add_job(number, repository="acme/api" if number % 10 == 0 else "acme/secret")
    client = await world.reader(repositories=("acme/api",))
    seen, cursor = [], ""
    while cursor is not None:
        page = (await client.get(f"/v1/jobs?limit=1{cursor and '&cursor=' + cursor}")).json()
        seen += [job["id"] for job in page["jobs"]]
        cursor = page["next_cursor"]
    assert seen == [40, 30, 20, 10]


def test_patterns_ignore_case_and_a_star_stands_for_any_name():
    sight = Sight(repositories=("Acme/*",))
    assert sight.repository("acme/API")
    assert not sight.repository("acme2/api")
    assert not Sight(repositories=("acme/api",)).repository("acme/api2")


async def test_a_runner_is_hidden_once_its_job_is_known_to_be_somebody_elses(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW)
    client = await world.reader(repositories=("acme/api",))
    assert (await client.get("/v1/runners/r-1")).status_code == 200
    body = payload(5, "in_progress", repository="acme/secret", runner_name="r-1")
    await world.deliver(body)
    assert (await world.job(5)).state is JobState.IN_PROGRESS
    assert (await client.get("/v1/runners/r-1")).status_code == 404
