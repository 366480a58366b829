import pytest
from fastapi import APIRouter

from runners.api.app import build_api
from runners.wire.problem import Problem


def problem(answer, status, reason):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate(answer.json())
    assert found.reason == reason
    assert all(found.model_dump().values())
    return found


async def test_an_unknown_address_is_a_problem(world):
    problem(await world.client.get("/nope/<script>"), 404, "not_found")


async def test_a_wrong_method_is_a_problem_that_names_the_right_one(world):
    answer = await world.client.get("/webhooks/github")
    problem(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("limit=0", "query.limit"),
        ("limit=9999", "query.limit"),
        ("limit=ghp_secret", "query.limit"),
        ("state=dancing", "query.state"),
        ("limt=5", "query.limt"),
        ("cursor=forged!", "query.cursor"),
        ("cursor=" + "9" * 40, "query.cursor"),
        ("pool=%00", "query.pool"),
        ("order=sideways", "query.order"),
    ],
)
async def test_a_question_that_is_not_understood_is_a_problem_that_quotes_nothing(world, query, named):
    answer = await (await world.reader()).get(f"/v1/jobs?{query}")
    found = problem(answer, 422, "request_invalid")
    assert named in found.why
    assert "ghp_secret" not in answer.text
    assert found.attempted == "GET /v1/jobs"


@pytest.mark.parametrize("route", ["/v1/jobs/0", "/v1/jobs/x", f"/v1/jobs/{2**63}", "/v1/runners/a%00b"])
async def test_a_malformed_name_in_a_path_is_a_problem(world, route):
    problem(await (await world.reader()).get(route), 422, "request_invalid")


async def test_an_unexpected_error_is_a_problem_without_its_particulars(world):
    router = APIRouter()

    @router.post("/boom")
    async def boom():
        raise RuntimeError("password=hunter2")

    app = build_api(world, [router])
    world.app = app
    answer = await world.connect().post("/boom")
    found = problem(answer, 500, "internal_error")
    assert "hunter2" not in answer.text
    assert found.attempted == "POST /boom"
    assert float(answer.headers["x-fly-gha-now"]) == world.clock.now()


async def test_the_log_of_an_unexpected_error_names_places_and_no_values(world, capsys):
    router = APIRouter()

    @router.get("/boom")
    async def boom():
        password = "hunter2"
        raise RuntimeError(password)

    world.app = build_api(world, [router])
    await world.connect().get("/boom")
    logged = capsys.readouterr().out
    assert "RuntimeError" in logged
    assert "test_api_problems.py" in logged
    assert "hunter2" not in logged


async def test_every_answer_tells_our_time_and_is_not_sniffed(world):
    for answer in [await world.client.get("/healthz"), await world.client.get("/nope")]:
        assert float(answer.headers["x-fly-gha-now"]) == world.clock.now()
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"


async def test_many_apps_live_in_one_process_without_sharing_anything(open_world):
    one, other = await open_world(), await open_world()
    token = await one.token("read")
    for world, status in ((one, 200), (other, 401)):
        for route in ("/v1/status", "/metrics"):
            answer = await world.client.get(route, headers={"authorization": f"Bearer {token}"})
            assert answer.status_code == status
