"""A reader asks to see less than its token allows; it never sees more for asking."""

import itertools

import pytest
from api_world import make_job, payload, settings
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st
from test_api_stream import streaming

from runners.api.sight import Sight
from runners.wire.problem import Problem

REPOSITORIES = "X-Fly-Gha-Repositories"
POOLS = "X-Fly-Gha-Pools"
ONLY_API = {REPOSITORIES: "acme/api"}
SECRET_WORDS = ("acme/secret", "globex", "r-secret", "r-globex")
ROUTES = (
    "/v1/status", "/v1/pools", "/v1/jobs", "/v1/jobs?order=oldest", "/v1/runners", "/v1/events",
    "/v1/events?order=newest", "/v1/usage?by=repository&by=workflow&by=pool", "/metrics",
)  # fmt: skip


@pytest.fixture
async def busy(world):
    """Jobs 1 (acme/api), 2 (acme/secret) and 3 (globex/app), each also running on a runner of its own."""
    kinds = [
        ("acme/api", "gha-small", ("fly-gha-small",), "orgs/acme", "r-api"),
        ("acme/secret", "gha-small", ("fly-gha-small",), "orgs/acme", "r-secret"),
        ("globex/app", "globex-pool", ("globex",), "orgs/globex", "r-globex"),
    ]
    for number, (repository, pool, labels, scope, name) in enumerate(kinds, start=1):
        await world.add_runner(name, pool=pool, scope=scope)
        await world.deliver(payload(number, repository=repository, labels=labels))
        running = payload(number + 10, "in_progress", repository=repository, labels=labels, runner_name=name)
        await world.deliver(running)
    await world.plan()
    return world


async def told(client, headers, routes=ROUTES):
    return {route: await client.get(route, headers=headers) for route in routes}


async def test_a_narrowed_reader_is_told_what_a_token_so_limited_is_told(busy):
    whole, limited = await busy.reader(), await busy.reader(repositories=("acme/api",))
    narrowed, own = await told(whole, ONLY_API), await told(limited, {})
    for route in ROUTES:
        assert narrowed[route].status_code == 200
        assert narrowed[route].text == own[route].text, route
        assert not [word for word in SECRET_WORDS if word in narrowed[route].text], route


async def test_what_is_narrowed_away_is_not_found_just_like_what_is_not_there(busy):
    client = await busy.reader()
    for hidden, absent in [
        ("/v1/jobs/2", "/v1/jobs/99"),
        ("/v1/runners/r-secret", "/v1/runners/r-absent"),
        ("/v1/pools/globex-pool", "/v1/pools/absent-pool"),
        ("/v1/jobs?pool=globex-pool", "/v1/jobs?pool=absent-pool"),
    ]:
        answers = [await client.get(route, headers=ONLY_API) for route in (hidden, absent)]
        assert [answer.status_code for answer in answers] == [404, 404]
        assert answers[0].json() == answers[1].json()


async def test_counts_are_narrowed_too(busy):
    client = await busy.reader()
    status = (await client.get("/v1/status", headers={POOLS: "globex-pool"})).json()
    assert (status["queue"]["queued"], status["runners"]["busy"]) == (1, 1)
    assert [pool["name"] for pool in status["pools"]] == ["globex-pool"]
    usage = (await client.get("/v1/usage", headers=ONLY_API)).json()
    assert usage["total"]["jobs"] == 1


async def test_a_narrowed_stream_tells_nothing_of_what_was_narrowed_away(busy):
    token = await busy.token("read")
    async with streaming(busy, token, headers=[(b"x-fly-gha-repositories", b"acme/api")]) as client:
        assert (await client.message()).status.queue.queued == 1
        await busy.deliver(payload(20, repository="acme/secret"))
        await busy.deliver(payload(21))
        message = await client.message()
        assert (message.targets, message.status.queue.queued) == (("job/21",), 2)


async def test_a_header_never_widens_a_token(busy):
    client = await busy.reader(repositories=("acme/api",), pools=("gha-small",))
    before = await told(client, {})
    for header in (
        {REPOSITORIES: "*/*"},
        {POOLS: "globex-pool,gha-small"},
        {REPOSITORIES: "acme/*,globex/*"},
    ):
        for route, answer in (await told(client, header)).items():
            assert answer.text == before[route].text, (route, header)
    for header in ({REPOSITORIES: "globex/app"}, {POOLS: "globex-pool"}):
        assert (await client.get("/v1/jobs", headers=header)).json()["jobs"] == []
        assert (await client.get("/v1/jobs/3", headers=header)).status_code == 404


@pytest.mark.parametrize("value", ["", " ", "\t"])
async def test_an_empty_header_narrows_nothing(busy, value):
    client = await busy.reader()
    jobs = (await client.get("/v1/jobs", headers={REPOSITORIES: value})).json()["jobs"]
    assert len(jobs) == 6


async def test_headers_sent_twice_are_one_list(busy):
    client = await busy.reader()
    both = [(POOLS, "globex-pool"), (POOLS, "gha-medium, gha-web")]
    pools = (await client.get("/v1/pools", headers=both)).json()["pools"]
    assert [pool["name"] for pool in pools] == ["gha-medium", "gha-web", "globex-pool"]


@pytest.mark.parametrize(
    "value",
    [
        b",", b" , ,", b"acme/api\x07", b"acme/\xc3\xa9", b"a\tb", b"x" * 201,
        b",".join([b"acme/api"] * 2000), b",".join(b"acme/r%d" % number for number in range(201)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", [REPOSITORIES, POOLS])
@pytest.mark.parametrize("route", ["/v1/status", "/v1/jobs/1", "/v1/status/stream", "/metrics"])
async def test_a_malformed_header_is_refused_and_never_overlooked(busy, route, name, value):
    client = await busy.reader()
    answer = await client.get(route, headers=[(name.encode(), value)])
    assert answer.status_code == 422
    problem = Problem.model_validate(answer.json())
    assert problem.reason == "request_invalid"
    assert name.lower() in problem.why


async def test_a_stranger_is_refused_before_its_header_is_looked_at(world):
    answer = await world.client.get("/v1/status", headers={REPOSITORIES: ","})
    assert answer.status_code == 401


async def test_the_status_says_what_its_answer_varies_with(world):
    answer = await (await world.reader()).get("/v1/status")
    assert answer.headers["vary"].lower() == "authorization, x-fly-gha-repositories, x-fly-gha-pools"


OWNERS = ("acme", "globex")
NAMES = ("api", "web", "secret", "api2")
POOL_NAMES = ("gha-small", "gha-medium", "gha-web", "globex-pool")
globs = st.text(alphabet="abcegiloprtwx2*?[]!/", max_size=8)
owners = st.sampled_from((*OWNERS, "*", "a*", "ACME"))
patterns = st.one_of(globs, st.builds("{}/{}".format, owners, st.one_of(st.sampled_from(NAMES), globs)))
limits = st.tuples(
    st.lists(patterns, max_size=3).map(tuple),
    st.lists(st.sampled_from((*POOL_NAMES, "none")), max_size=3).map(tuple),
)
POOLS_OF = settings().pools


@how(max_examples=200, deadline=None, derandomize=True)
@given(limits, limits, limits)
def test_a_narrowed_sight_allows_exactly_what_each_of_its_limits_allows(token, first, second):
    parts = [Sight(*each) for each in (token, first, second)]
    sight = Sight(*token).narrowed(*first).narrowed(*second)
    for owner, name, pool in itertools.product(OWNERS, NAMES, (*POOL_NAMES, None)):
        job = make_job(1, repository=f"{owner}/{name}", pool=pool)
        assert sight.job(job) == all(part.job(job) for part in parts)
        assert sight.repository(job.repository) == all(part.repository(job.repository) for part in parts)
    for pool in POOLS_OF:
        assert sight.pool(pool) == all(part.pool(pool) for part in parts)
    assert sight.everything == all(part.everything for part in parts)
    assert sight.by_repository == any(part.by_repository for part in parts)
