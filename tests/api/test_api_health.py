from runners.control.loop import LoopHealth
from runners.store.errors import StoreUnavailable
from runners.wire.health import Health, Readiness


async def test_healthz_says_that_the_process_answers_whatever_else_is_wrong(world):
    await unreachable(world)
    answer = await world.client.get("/healthz")
    assert answer.status_code == 200
    assert Health.model_validate(answer.json()).status == "ok"


async def test_readyz_is_open_and_ready_when_all_is_there(world):
    answer = await world.client.get("/readyz")
    assert answer.status_code == 200
    assert Readiness.model_validate(answer.json()).ready is True


async def test_readyz_lists_everything_that_is_missing(world):
    await unreachable(world)
    world.missing = {"fly": "FLY_API_TOKEN", "github:acme": "GITHUB_INSTALLATION_TOKEN_ACME"}
    world.health = []
    answer = await world.client.get("/readyz")
    assert answer.status_code == 503
    readiness = Readiness.model_validate(answer.json())
    assert readiness.not_ready == ("store", "credentials", "planner")
    details = {check.name: check.detail for check in readiness.checks}
    assert "FLY_API_TOKEN" in details["credentials"]
    assert "postgresql://" not in answer.text


async def test_a_planner_whose_last_good_pass_is_long_ago_is_not_ready(world):
    world.clock.at += 14
    assert (await world.client.get("/readyz")).status_code == 200
    world.clock.at += 2
    answer = await world.client.get("/readyz")
    assert answer.json()["not_ready"] == ["planner"]


async def test_a_planner_that_fails_stays_ready_until_its_last_good_pass_is_old(world):
    now = world.clock.now()
    world.health = [LoopHealth("planner", 5.0, 9, 1, now, "StoreUnavailable: x")]
    assert (await world.client.get("/readyz")).status_code == 200


async def unreachable(world):
    async def run(op):
        raise StoreUnavailable("connect to postgresql://db", "it is away", "wait")

    world.store.run = run
