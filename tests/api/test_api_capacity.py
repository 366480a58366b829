"""May I queue so many jobs now? It says yes only when the planner would supply every one of them."""

import asyncio
from dataclasses import replace

import pytest
from api_world import NOW

from runners.api import outlook
from runners.planning.what_if import what_if
from runners.wire.capacity import CapacityAnswer
from runners.wire.times import rfc3339

SMALL = "/v1/capacity?label=fly-gha-small"


async def told(client, route, **headers):
    answer = await client.get(route, headers=headers)
    assert answer.status_code == 200, answer.text
    return CapacityAnswer.model_validate(answer.json())


async def test_a_pool_with_room_says_yes_and_when(world):
    await world.plan()
    answer = await told(await world.reader(), f"{SMALL}&count=2")
    assert (answer.ok, answer.pool, answer.asked, answer.startable) == (True, "gha-small", 2, 2)
    assert answer.why is None
    assert answer.first_start.expected_start > rfc3339(NOW)
    assert answer.last_start.confidence == "low"
    assert answer.planned_at == answer.as_of == rfc3339(NOW)


async def test_more_than_the_cap_says_no_and_how_many_could_start(world):
    await world.add_job(1)
    await world.plan()
    answer = await told(await world.reader(), f"{SMALL}&count=2")
    assert (answer.ok, answer.startable, answer.why.reason) == (False, 1, "pool_at_max")
    assert answer.why.text
    assert (await told(await world.reader(), SMALL)).ok


async def test_every_label_must_be_served(world):
    await world.plan()
    client = await world.reader()
    assert (await told(client, "/v1/capacity?label=LINUX&label=web")).pool == "gha-web"
    answer = await told(client, "/v1/capacity?label=linux&label=fly-gha-small")
    assert (answer.ok, answer.pool, answer.why.reason) == (False, None, "labels_unknown")
    assert (answer.first_start, answer.last_start, answer.startable) == (None, None, 0)


async def test_a_repository_must_be_allowed_and_covered(open_world):
    world = await open_world(github={"repositories": ["acme/*", "globex/web"]})
    await world.plan()
    client = await world.reader()
    assert (await told(client, f"{SMALL}&repository=ACME/api")).ok
    for repository in ("globex/app", "acme2/api"):
        answer = await told(client, f"{SMALL}&repository={repository}")
        assert (answer.ok, answer.why.reason) == (False, "repository_not_allowed")
    answer = await told(client, "/v1/capacity?label=web&repository=acme/api")
    assert (answer.ok, answer.why.reason) == (False, "repository_not_allowed")


async def test_before_the_first_plan_the_answer_is_no(world):
    answer = await told(await world.reader(), SMALL)
    assert (answer.ok, answer.why.reason, answer.planned_at) == (False, "plan_stale", None)


@pytest.mark.parametrize("wrong", ["late", "failing", "absent", "never"])
async def test_a_planner_that_is_late_or_fails_says_no_to_everybody(world, wrong):
    await world.plan()
    client = await world.reader()
    assert (await told(client, SMALL)).ok
    planner = world.health[0]
    if wrong == "late":
        world.clock.at += 16
    elif wrong == "failing":
        world.health = [replace(planner, last_error="HTTP 500")]
    elif wrong == "never":
        world.health = [replace(planner, last_pass_at=None)]
    else:
        world.health = []
    answer = await told(client, SMALL)
    assert (answer.ok, answer.startable, answer.why.reason) == (False, 0, "plan_stale")
    assert (await told(client, "/v1/capacity?label=none")).why.reason == "plan_stale"


async def test_a_hidden_pool_or_repository_is_answered_like_labels_that_nobody_has(world):
    await world.plan()
    absent = (await (await world.reader()).get("/v1/capacity?label=absent")).json()
    by_pool = await world.reader(pools=("gha-medium",))
    by_repository = await world.reader(repositories=("acme/api",))
    for client, route in (
        (by_pool, SMALL),
        (by_pool, f"{SMALL}&repository=acme/api"),
        (by_repository, "/v1/capacity?label=globex"),
        (by_repository, f"{SMALL}&repository=acme/secret"),
        (by_repository, "/v1/capacity?label=globex&repository=globex/app"),
    ):
        assert (await client.get(route)).json() == absent
    assert (await told(by_repository, SMALL)).ok
    whole = await world.reader()
    narrowed = await whole.get(SMALL, headers={"x-fly-gha-pools": "gha-medium"})
    assert narrowed.json() == absent


@pytest.mark.parametrize(
    "query",
    [
        "", "label=", "count=1", "label=x&count=0", "label=x&count=201", "label=x&count=many",
        "label=x&size=3",
        "label=x&repository=acme", "label=x&repository=a/b/c", "label=x&repository=a%00/b", "label=%07",
        "&".join(["label=x"] * 21), f"label={'x' * 201}", f"label=x&repository=a/{'b' * 200}",
    ],
)  # fmt: skip
async def test_a_question_that_makes_no_sense_is_refused(world, query):
    answer = await (await world.reader()).get(f"/v1/capacity?{query}")
    assert (answer.status_code, answer.json()["reason"]) == (422, "request_invalid")


async def test_the_same_question_about_one_plan_is_thought_about_once(world, monkeypatch):
    thought = []

    def counted(*given):
        thought.append(given)
        return what_if(*given)

    monkeypatch.setattr(outlook, "what_if", counted)
    await world.plan()
    client = await world.reader()
    answers = await asyncio.gather(*(told(client, f"{SMALL}&count=2") for _ in range(10)))
    assert (len(thought), {answer.ok for answer in answers}) == (1, {True})
    await told(client, "/v1/capacity?label=FLY-GHA-SMALL&label=fly-gha-small&count=2")
    assert len(thought) == 1
    await told(client, SMALL)
    assert len(thought) == 2
    await world.plan()
    await told(client, f"{SMALL}&count=2")
    assert len(thought) == 3


async def test_who_gives_up_waiting_takes_the_answer_from_nobody(world):
    view = await world.plan()
    desk = outlook.Outlook(world.settings)
    wish = outlook.Wish(("fly-gha-small",), 1, None, frozenset({"gha-small"}))
    impatient, patient = (asyncio.ensure_future(desk.of(view, wish)) for _ in range(2))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).startable == 1


async def test_only_so_many_answers_are_remembered(world, monkeypatch):
    monkeypatch.setattr(outlook, "KEPT_MAX", 3)
    view = await world.plan()
    desk = outlook.Outlook(world.settings)
    for count in range(1, 10):
        await desk.of(view, outlook.Wish(("fly-gha-small",), count, None, frozenset({"gha-small"})))
    assert len(desk._answers) == 3
