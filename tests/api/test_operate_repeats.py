"""Idempotency-Key and If-Match: once is once, whoever dies in between, and nobody overwrites unseen."""

import asyncio

import pytest
from api_world import World, settings

from runners.api.carrying_out import REPLAYED_HEADER
from runners.model.states import RunnerState
from runners.store import retention
from runners.store.engine import open_store
from runners.store.kept_answers import KEPT_S
from runners.wire.problem import Problem

DRAIN = "/v1/pools/gha-small/drain"
UNDRAIN = "/v1/pools/gha-small/undrain"
SCALE = "/v1/pools/gha-small/scale"


@pytest.fixture
async def client(world):
    return world.connect(authorization=f"Bearer {await world.token('operate', 'read')}")


async def post(client, path, key=None, match=None, **body):
    headers = {} if key is None else {"idempotency-key": key}
    headers |= {} if match is None else {"if-match": match}
    return await client.post(path, json=body, headers=headers)


def refused(answer, status):
    assert answer.status_code == status, answer.text
    return Problem.model_validate(answer.json())


async def verbs(world):
    return [event.verb for event in await world.events()]


async def test_the_same_key_gets_the_same_answer_and_changes_nothing_again(world, client):
    first = await post(client, DRAIN, "k-1", reason="once")
    await post(client, UNDRAIN)
    world.clock.at += 60
    again = await post(client, DRAIN, "k-1", reason="once")
    assert again.content == first.content
    assert again.headers["etag"] == first.headers["etag"]
    assert (first.headers.get(REPLAYED_HEADER), again.headers[REPLAYED_HEADER]) == (None, "true")
    assert await verbs(world) == ["drained", "undrained"]
    assert (await client.get("/v1/pools/gha-small")).json()["drained"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (UNDRAIN, {}),
        (DRAIN, {"reason": "another"}),
        ("/v1/pools/gha-medium/drain", {}),
        ("/v1/fleet/pause", {}),
    ],
)
async def test_the_same_key_with_another_request_is_refused_and_typed(world, client, path, body):
    await post(client, DRAIN, "k-1")
    problem = refused(await post(client, path, "k-1", **body), 422)
    assert problem.reason == "key_used_before"
    assert "k-1" not in problem.model_dump_json()
    assert await verbs(world) == ["drained"]


async def test_a_key_belongs_to_its_token(world, client):
    await post(client, DRAIN, "k-1")
    other = world.connect(authorization=f"Bearer {await world.token('operate')}")
    assert (await post(other, UNDRAIN, "k-1")).json()["changed"] is True


async def test_many_at_once_with_one_key_change_once(world, client):
    answers = await asyncio.gather(*(post(client, DRAIN, "k-1") for _ in range(8)))
    assert len({answer.content for answer in answers}) == 1
    assert await verbs(world) == ["drained"]


async def test_a_refusal_is_not_kept_and_its_key_serves_the_mended_request(world, client):
    refused(await post(client, SCALE, "k-1", ready=99), 422)
    assert (await post(client, SCALE, "k-1", ready=1)).json()["changed"] is True


@pytest.mark.parametrize("key", ["", " ", "two words", "x" * 256, "käse".encode("latin-1")])
async def test_a_key_that_is_none_is_refused(world, client, key):
    refused(await client.post(DRAIN, headers={"idempotency-key": key}), 422)
    twice = [("idempotency-key", "a"), ("idempotency-key", "b")]
    refused(await client.post(DRAIN, headers=twice), 422)
    assert await verbs(world) == []


async def test_a_key_is_kept_for_a_day_and_purged_with_what_is_old(world, client):
    await post(client, DRAIN, "k-1")
    world.clock.at += KEPT_S - 1
    assert (await post(client, DRAIN, "k-1")).headers[REPLAYED_HEADER] == "true"
    world.clock.at += 1
    now = world.clock.at
    purged = await world.store.run(lambda conn: retention.purge(conn, 0.0, now=now))
    assert purged.kept_answers == 1
    assert (await post(client, UNDRAIN, "k-1")).json()["changed"] is True


async def test_the_answer_survives_a_dispatcher_that_died_between_commit_and_answer(tmp_path):
    url = f"sqlite:///{tmp_path}/fleet.db"
    store = open_store(url)
    await store.migrate()
    world = World(store, settings())
    headers = {"authorization": f"Bearer {await world.token('operate')}", "idempotency-key": "k-1"}
    sent = []

    async def gone(message):
        sent.append(message)
        raise ConnectionError("the process ended here")

    with pytest.raises(ConnectionError):
        await call(world.app, headers, gone)
    assert sent[0]["status"] == 200, "committed, and about to answer"
    await world.client.aclose()
    await store.close()

    store = open_store(url)
    after = World(store, settings())
    after.clock.at += 3600
    answer = await after.client.post(DRAIN, headers=headers)
    assert (answer.status_code, answer.headers[REPLAYED_HEADER]) == (200, "true")
    assert (answer.json()["changed"], answer.json()["revision"]) == (True, 1)
    assert await verbs(after) == ["drained"]
    await after.client.aclose()
    await store.close()


async def call(app, headers, send):
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "path": DRAIN, "raw_path": DRAIN.encode(),
        "root_path": "", "scheme": "http", "query_string": b"", "headers": raw, "client": None,
        "server": ("fleet", 80),
    }  # fmt: skip

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    await app(scope, receive, send)


async def test_the_etag_of_a_pool_is_of_what_operators_set_and_of_nothing_else(world, client):
    etag = (await client.get("/v1/pools/gha-small")).headers["etag"]
    await world.add_runner("r-1", state=RunnerState.BUSY)
    await world.add_job(7)
    world.clock.at += 5
    assert (await client.get("/v1/pools/gha-small")).headers["etag"] == etag
    changed = await post(client, DRAIN, match=etag)
    assert changed.json()["version"] == changed.headers["etag"] != etag
    assert (await client.get("/v1/pools/gha-small")).headers["etag"] == changed.headers["etag"]
    # There and back is not the same: somebody was here in between.
    assert (await post(client, UNDRAIN)).headers["etag"] != etag


async def test_an_old_version_is_refused_with_what_changed_since_and_who_changed_it(world, client):
    etag = (await client.get("/v1/pools/gha-small")).headers["etag"]
    other = world.connect(authorization=f"Bearer {(token := await world.token('operate'))}")
    await post(other, SCALE, max_machines=5, reason="private words")
    await post(other, DRAIN)
    answer = await post(client, UNDRAIN, match=etag)
    problem = refused(answer, 412)
    assert problem.reason == "changed_since"
    who = f"token:{token.split('_')[1]}"
    assert f"since then: drained by {who} at 2026-" in problem.why
    assert f"scaled by {who}" in problem.why
    assert "now: drained true, max_machines 5" in problem.why
    assert "private words" not in answer.text
    assert await verbs(world) == ["scaled", "drained"]
    assert (await post(client, UNDRAIN, match=answer.headers["etag"])).json()["changed"] is True


@pytest.mark.parametrize("match", ['"nonsense"', 'W/"0-0"', "0", '"999999999999999999999-abcdefabcdef"'])
async def test_an_if_match_that_is_no_version_is_refused(world, client, match):
    assert "names no version" in refused(await post(client, DRAIN, match=match), 412).why


async def test_if_match_takes_several_versions_and_any(world, client):
    etag = (await client.get("/v1/pools/gha-small")).headers["etag"]
    assert (await post(client, DRAIN, match=f'"1-abcdefabcdef", {etag}')).status_code == 200
    assert (await post(client, UNDRAIN, match="*")).status_code == 200


async def test_a_changed_fleet_toml_is_told_apart_from_an_operator(tmp_path):
    store = open_store(f"sqlite:///{tmp_path}/fleet.db")
    await store.migrate()
    world = World(store, settings())
    client = world.connect(authorization=f"Bearer {await world.token('operate', 'read')}")
    etag = (await client.get("/v1/pools/gha-small")).headers["etag"]
    pools = [{"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "max_machines": 3}]
    restarted = World(store, settings(pools=pools))
    answer = await restarted.connect(**client.headers).post(DRAIN, headers={"if-match": etag})
    assert "its settings in fleet.toml have changed" in refused(answer, 412).why
    await store.close()


async def test_a_repeat_does_not_ask_whether_the_version_still_fits(world, client):
    etag = (await client.get("/v1/pools/gha-small")).headers["etag"]
    first = await post(client, DRAIN, "k-1", etag)
    assert (await post(client, DRAIN, "k-1", etag)).content == first.content


async def test_a_condition_that_cannot_be_checked_is_refused_and_not_overlooked(world, client):
    for path in ("/v1/fleet/pause", "/v1/sweep", "/v1/runners/r-1/retire"):
        assert "If-Match cannot be checked" in refused(await post(client, path, match="*"), 422).why
    assert await verbs(world) == []
