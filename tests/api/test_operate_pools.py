"""Drain, undrain, scale, pause, resume: what changes, what is said, and what is refused."""

import json

import pytest

from runners.api.operate_bodies import BODY_MAX, WORDS_MAX
from runners.model.states import RunnerState
from runners.store import pools
from runners.wire.operate import FleetOperation, PoolOperation
from runners.wire.problem import Problem

WORDS = "ana: the image is broken"
DRAIN = "/v1/pools/gha-small/drain"
UNDRAIN = "/v1/pools/gha-small/undrain"
SCALE = "/v1/pools/gha-small/scale"


@pytest.fixture
async def client(world):
    return await operator(world)


async def operator(world, **limits):
    return world.connect(authorization=f"Bearer {await world.token('operate', 'read', **limits)}")


async def post(client, path, **body):
    return await client.post(path, json=body)


async def events(world):
    """What happened but for the rows that a test put there itself."""
    return [event for event in await world.events() if event.verb not in ("requested", "accepted")]


def read(answer):
    assert answer.status_code == 200, answer.text
    return PoolOperation.model_validate(answer.json())


def problem(answer, status):
    assert answer.status_code == status, answer.text
    return Problem.model_validate(answer.json())


async def overrides(world):
    return (await world.store.run(pools.overrides)).get("gha-small", pools.PoolOverride())


async def test_a_drain_is_answered_with_before_after_revision_and_what_happens_next(world, client):
    for number, state in enumerate((RunnerState.BUSY, RunnerState.BUSY, RunnerState.IDLE), 1):
        await world.add_runner(f"r-{number}", state=state)
    await world.add_runner("elsewhere", state=RunnerState.BUSY, pool="gha-medium")
    await world.add_job(7)
    done = read(await post(client, DRAIN, reason=WORDS))
    assert (done.before.drained, done.after.drained, done.changed) == (False, True, True)
    assert done.after.overrides == ("drained",)
    assert done.next == (
        "2 busy runners finish their jobs",
        "1 idle or coming runner is retired",
        "1 queued job waits here until it is undrained",
        "jobs that queue from now on wait here, too",
    )
    assert world.wakes == ["planner"]
    (event,) = await events(world)
    assert event.seq == done.revision
    assert event.actor.startswith("token:")
    assert (event.verb, event.target, event.reason) == ("drained", "pool/gha-small", "operator_request")
    assert event.detail == f"drained false -> true; said: {WORDS}"


async def test_a_drained_pool_shows_as_overridden_to_every_reader_and_undrained_no_longer(world, client):
    await post(client, DRAIN)
    shown = (await client.get("/v1/pools/gha-small")).json()
    assert (shown["drained"], shown["overrides"]) == (True, ["drained"])
    undrained = read(await post(client, UNDRAIN))
    assert (undrained.after.drained, undrained.after.overrides) == (False, ())
    shown = (await client.get("/v1/pools/gha-small")).json()
    assert (shown["drained"], shown["overrides"]) == (False, [])


async def test_what_is_so_already_is_said_and_written_nowhere(world, client):
    assert read(await post(client, UNDRAIN)).changed is False
    await post(client, DRAIN)
    again = read(await post(client, DRAIN, reason="a second time"))
    assert (again.changed, again.before, again.after) == (False, again.after, again.after)
    assert again.next[0] == "it is so already: nothing was changed"
    await client.post("/v1/fleet/pause")
    paused = FleetOperation.model_validate((await client.post("/v1/fleet/pause")).json())
    assert paused.changed is False
    assert [event.verb for event in await events(world)] == ["drained", "paused"]
    assert world.wakes == ["planner", "planner"]


async def test_an_undrain_holds_against_fleet_toml_and_says_so_and_a_drain_takes_it_back(open_world):
    own = [{"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "drained": True}]
    world = await open_world(pools=own)
    client = await operator(world)
    already = read(await post(client, DRAIN))
    assert (already.changed, already.next[-1]) == (False, "fleet.toml says drained = true")
    undrained = read(await post(client, UNDRAIN))
    assert (undrained.after.drained, undrained.after.overrides) == (False, ("drained",))
    assert undrained.next[-1] == (
        "fleet.toml says drained = true; this override holds against it, also after a restart"
    )
    drained = read(await post(client, DRAIN))
    assert (drained.after.drained, drained.after.overrides) == (True, ())
    assert "override against it is removed" in drained.next[-1]


async def test_a_scale_sets_what_it_names_and_null_goes_back_to_fleet_toml(world, client):
    first = read(await post(client, SCALE, max_machines=8, ready=2, reason=WORDS))
    assert (first.after.max_machines, first.after.ready, first.after.stopped) == (8, 2, 0)
    assert first.after.overrides == ("max_machines", "ready")
    second = read(await post(client, SCALE, ready=None))
    assert (second.after.ready, second.after.overrides) == (0, ("max_machines",))
    assert [event.detail for event in await events(world)] == [
        f"max_machines 2 -> 8, ready 0 -> 2; said: {WORDS}",
        "ready 2 -> 0 (fleet.toml); no reason given",
    ]
    assert read(await post(client, SCALE, max_machines=8)).changed is False


async def test_a_cap_below_what_is_there_says_that_no_job_is_ended(world, client):
    for number in (1, 2):
        await world.add_runner(f"r-{number}", state=RunnerState.BUSY)
    done = read(await post(client, SCALE, max_machines=1))
    assert done.next == (
        (
            "2 Machines there, 1 may be: nothing that runs or waits for a job is ended, "
            "and none starts until there is room"
        ),
    )


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"max_machines": 21}, "fleet's cap of 20"),
        ({"max_machines": -1}, "body.max_machines"),
        ({"ready": -5}, "body.ready"),
        ({"ready": 1.5}, "body.ready"),
        ({"ready": "1"}, "body.ready"),
        ({"stopped": True}, "body.stopped"),
        ({"stopped": 1001}, "body.stopped"),
        ({"ready": 2, "stopped": 1}, "ready (2) and stopped (1) spares together are more"),
        ({"max_machines": 1, "ready": 2}, "more than the pool's max_machines (1)"),
        ({}, "names no figure"),
        ({"reason": WORDS}, "names no figure"),
        ({"maximum": 3}, "body.maximum"),
        ({"ready": 0, "reason": "x" * (WORDS_MAX + 1)}, "body.reason"),
        ({"ready": 0, "reason": 7}, "body.reason"),
    ],
)
async def test_a_scale_that_cannot_be_is_said_plainly_and_changes_nothing(world, client, body, why):
    refused = problem(await post(client, SCALE, **body), 422)
    assert refused.reason == "request_invalid"
    assert why in refused.why
    assert await events(world) == []
    assert await overrides(world) == pools.PoolOverride()
    assert world.wakes == []


async def test_figures_of_fleet_toml_can_always_be_gone_back_to(open_world):
    odd = {"name": "gha-small", "scope": "orgs/acme", "apps": ["app-a"], "max_machines": 50, "ready": 60}
    world = await open_world(pools=[odd])
    client = await operator(world)
    assert read(await post(client, SCALE, max_machines=20, ready=1)).changed
    assert read(await post(client, SCALE, max_machines=None, ready=None)).after.overrides == ()


@pytest.mark.parametrize("sent", [b"[]", b"{", b"null", b'"drain"', b"\xff\xfe", b"[" * 5000])
async def test_a_body_that_is_no_object_is_refused(world, client, sent):
    problem(await client.post(DRAIN, content=sent), 422)
    assert await events(world) == []


async def test_a_body_longer_than_anything_asked_for_is_refused_before_it_is_read(world, client):
    long = json.dumps({"reason": "x" * BODY_MAX}).encode()
    assert "longer than" in problem(await client.post(DRAIN, content=long), 422).why


async def test_a_request_without_a_body_is_one_without_a_reason(world, client):
    assert read(await client.post(DRAIN)).changed
    assert (await events(world))[0].detail.endswith("; no reason given")


@pytest.mark.parametrize(
    "secret",
    [f"fgr_abcdefgh_{'A' * 43}", "ghp_" + "a" * 36, "FlyV1 fm2_abc", "-----BEGIN RSA PRIVATE KEY-----"],
)
async def test_a_reason_that_holds_a_credential_is_refused_and_not_quoted(world, client, secret):
    refused = await post(client, DRAIN, reason=f"token {secret}")
    assert "credential" in problem(refused, 422).why
    assert secret not in refused.text
    assert await events(world) == []


async def test_the_operators_words_cannot_hide_or_break_lines(world, client):
    await post(client, DRAIN, reason="one\ntwo\u202e three\x1b[2J")
    assert (await events(world))[0].detail == "drained false -> true; said: one two three[2J"


async def test_an_unknown_pool_is_answered_with_the_nearest_names(world, client):
    for path in ("drain", "undrain", "scale"):
        refused = problem(await post(client, f"/v1/pools/gha-smal/{path}"), 404)
        assert "gha-small" in refused.next_step
    assert await events(world) == []


async def test_a_pause_stops_launches_of_all_pools_and_a_resume_says_who_stays_drained(world, client):
    await world.add_runner("r-1", state=RunnerState.BUSY)
    await world.add_job(7)
    paused = FleetOperation.model_validate((await post(client, "/v1/fleet/pause", reason=WORDS)).json())
    assert (paused.before.paused, paused.after.paused, paused.after.overridden) == (False, True, True)
    assert "1 busy runner finishes its job" in paused.next[1]
    assert (await client.get("/v1/status")).json()["paused"] is True
    drained = read(await post(client, "/v1/pools/gha-medium/drain"))
    assert drained.next[0] == "nothing runs here: it is empty already"
    undrained = read(await post(client, "/v1/pools/gha-medium/undrain"))
    assert undrained.next == ("the fleet is paused: nothing starts before it is resumed",)
    await post(client, DRAIN)
    resumed = FleetOperation.model_validate((await client.post("/v1/fleet/resume")).json())
    assert (resumed.after.paused, resumed.after.overridden) == (False, False)
    assert "still drained: gha-small" in resumed.next
    first, *_, last = await events(world)
    assert (first.verb, first.target, first.detail) == (
        "paused",
        "fleet",
        f"paused false -> true; said: {WORDS}",
    )
    assert (last.verb, last.detail) == ("resumed", "paused true -> false; no reason given")


async def test_a_resume_against_fleet_toml_says_that_it_holds(open_world):
    world = await open_world(fleet={"paused": True})
    client = await operator(world)
    resumed = FleetOperation.model_validate((await client.post("/v1/fleet/resume")).json())
    assert (resumed.after.paused, resumed.after.overridden) == (False, True)
    assert "holds against it" in resumed.next[-1]


@pytest.mark.parametrize(
    "path",
    [DRAIN, UNDRAIN, SCALE, "/v1/fleet/pause", "/v1/fleet/resume", "/v1/runners/r-1/retire", "/v1/sweep"],
)
async def test_a_token_that_may_only_read_gets_403_that_names_the_scope_and_an_event(world, path):
    reader = await world.reader()
    refused = problem(await reader.post(path, json={"ready": 1}), 403)
    assert refused.reason == "access_denied"
    assert "scope operate" in refused.why
    (event,) = await events(world)
    assert (event.verb, event.outcome) == ("denied", "refused")
    assert "needs the scope operate; the token has read" in event.detail
    assert (await world.client.post(path)).status_code == 401


async def test_a_token_limited_to_pools_operates_those_and_not_the_fleet(world):
    limited = await operator(world, pools=("gha-small",))
    assert read(await post(limited, DRAIN)).changed
    assert "gha-medium" not in problem(await post(limited, "/v1/pools/gha-medium/drain"), 404).next_step
    for path in ("/v1/fleet/pause", "/v1/fleet/resume", "/v1/sweep"):
        assert "about all of them" in problem(await post(limited, path), 403).why
    assert [event.verb for event in await events(world)] == ["drained", "denied"]


async def test_a_token_limited_to_a_repository_operates_the_pools_that_serve_nobody_else(world):
    limited = await operator(world, repositories=("acme/web",))
    assert read(await post(limited, "/v1/pools/gha-web/drain")).changed
    assert "serves others" in problem(await post(limited, DRAIN), 403).why


async def test_a_dispatcher_that_only_observes_changes_nothing(world, client):
    world.acts = False
    for path in (DRAIN, SCALE, "/v1/fleet/pause", "/v1/sweep"):
        assert (
            problem(await post(client, path, **({"ready": 1} if path == SCALE else {})), 409).reason
            == "only_observing"
        )
    assert (await post(client, "/v1/sweep", dry_run=True)).status_code == 200
    assert await events(world) == []


async def test_an_operators_change_is_not_that_of_the_scope_read_or_admin(world):
    for scope in ("read", "admin"):
        token = await world.token(scope)
        assert (
            await world.client.post(DRAIN, headers={"authorization": f"Bearer {token}"})
        ).status_code == 403
