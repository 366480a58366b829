"""FlySim over HTTP answers in Fly's shapes, and its tokens prove where they come from."""

import asyncio

import httpx
import jwt
import pytest

from simulator.fly.face import build_app

MACHINES = "/v1/apps/runners-a/machines"


@pytest.fixture
async def http(world):
    transport = httpx.ASGITransport(build_app(world.sim))
    headers = {"authorization": "Bearer fm2_simulated"}
    async with httpx.AsyncClient(transport=transport, base_url="http://fly.sim", headers=headers) as client:
        yield client


async def test_a_created_machine_is_answered_as_created_with_its_config_and_one_event(world, http) -> None:
    request = world.request("m-1")
    answer = await http.post(MACHINES, json=request)
    assert answer.status_code == 200
    assert answer.headers["fly-request-id"].endswith("-iad")
    machine = answer.json()
    assert (machine["state"], machine["name"], machine["region"]) == ("created", "m-1", "ams")
    assert machine["config"] == request["config"]
    assert machine["image_ref"] == {
        "registry": "registry.fly.io",
        "repository": "runner",
        "tag": "1",
        "digest": "sha256:" + "a" * 64,
        "labels": {},
    }
    assert [(e["type"], e["status"], e["request"]) for e in machine["events"]] == [
        ("launch", "created", None)
    ]
    assert len(machine["id"]) == 14


async def test_refusals_are_answered_in_flys_envelope(world, http) -> None:
    await http.post(MACHINES, json=world.request("m-1"))
    taken = await http.post(MACHINES, json=world.request("m-1"))
    assert (taken.status_code, "already_exists" in taken.json()["error"]) == (409, True)
    world.sim.faults.add("no_capacity")
    full = await http.post(MACHINES, json=world.request("m-2"))
    assert (full.status_code, full.json()["status"]) == (422, "insufficient_capacity")
    world.pass_time(10)
    broken = await http.post(MACHINES, content=b"{")
    assert broken.status_code == 400
    assert (await http.get(MACHINES, headers={"authorization": "Bearer no"})).json() == {
        "error": "Authenticate: token validation error"
    }


async def test_start_stop_and_destroy_answer_as_documented(world, http) -> None:
    machine = world.stopped(config={"auto_destroy": False})
    path = f"{MACHINES}/{machine.id}"
    started = await http.post(f"{path}/start")
    assert started.json() == {"previous_state": "stopped", "migrated": False, "new_host": ""}
    world.until(lambda: machine.state == "started")
    assert (await http.post(f"{path}/stop", json={"signal": "SIGTERM", "timeout": "1s"})).json() == {
        "ok": True
    }
    assert (await http.delete(path, params={"force": True})).json() == {"ok": True}
    world.until(lambda: machine.state == "destroyed")
    shown = await http.get(path)
    assert (shown.status_code, shown.json()["state"]) == (200, "destroyed")
    events = (await http.get(f"{path}/events", params={"limit": 3})).json()
    assert events[0]["type"] == "destroy"
    assert len(events) == 3


async def test_the_list_takes_the_metadata_filter_and_the_summary(world, http) -> None:
    world.create("a")
    world.create("b", config={"metadata": {"fly_gha_pool": "large"}})
    found = (await http.get(MACHINES, params={"metadata.fly_gha_pool": "large"})).json()
    assert [machine["name"] for machine in found] == ["b"]
    short = (await http.get(MACHINES, params={"summary": "true"})).json()
    assert not {"config", "events", "host_status"} & short[0].keys()


async def test_an_unreachable_host_hides_the_config_and_its_metadata(world, http) -> None:
    machine = world.started()
    set_host = await http.post(f"/_sim/machines/{machine.id}/host", json={"status": "unreachable"})
    assert set_host.status_code == 204
    shown = (await http.get(f"{MACHINES}/{machine.id}")).json()
    assert shown["host_status"] == "unreachable"
    assert "config" not in shown
    assert "metadata" not in shown["incomplete_config"]


async def test_wait_returns_when_the_state_is_reached_and_408_when_it_is_not(world, http) -> None:
    machine = world.create()
    path = f"{MACHINES}/{machine.id}/wait"
    assert (await http.get(path, params={"timeout": 90})).status_code == 400
    reached = (await http.get(path, params={"state": "started", "timeout": 60})).json()
    assert (reached["ok"], reached["state"]) == (True, "started")
    late = await http.get(path, params={"state": "stopped", "timeout": 1})
    assert late.status_code == 408
    assert late.json()["error"] == (
        "deadline_exceeded: machine failed to reach desired state, stopped, currently started"
    )
    world.body.exit(machine.id)
    assert (await http.get(path, params={"state": "destroyed"})).json()["state"] == "destroyed"
    world.pass_time(3)
    assert (await http.get(path, params={"state": "stopped"})).status_code == 404


async def test_a_lost_create_answers_nothing_until_the_caller_gives_up(world, http) -> None:
    # Under this clock the caller's minute passes at once; over a socket the connection would hang.
    world.sim.faults.add("lost_create_answer", name="m-1")
    lost = await http.post(MACHINES, json=world.request("m-1"))
    assert lost.status_code == 408
    assert world.clock.time >= world.sim.journal.of("machine_created")[0]["at"] + 60
    found = (await http.get(MACHINES, params={"metadata.fly_gha_pool": "small"})).json()
    assert [machine["name"] for machine in found] == ["m-1"]


async def test_a_token_verifies_against_the_published_keys_and_names_its_machine(world, http) -> None:
    machine = world.started()
    token = world.body.running[machine.id].mint_oidc("https://dispatcher.example")
    discovery = (await http.get("/oidc/acme/.well-known/openid-configuration")).json()
    keys = (await http.get(discovery["jwks_uri"])).json()
    header = jwt.get_unverified_header(token)
    key = next(jwt.PyJWK(key) for key in keys["keys"] if key["kid"] == header["kid"])
    claims = jwt.decode(
        token,
        key,
        algorithms=discovery["id_token_signing_alg_values_supported"],
        audience="https://dispatcher.example",
        issuer=discovery["issuer"],
        options={"verify_exp": False, "verify_iat": False, "verify_nbf": False},
    )
    assert claims["sub"] == "acme:runners-a:m-1"
    assert claims["iss"] == "http://fly.sim/oidc/acme"
    assert (claims["machine_id"], claims["machine_name"]) == (machine.id, "m-1")
    assert (claims["app_name"], claims["org_name"], claims["region"]) == ("runners-a", "acme", "ams")
    assert claims["image_digest"] == "sha256:" + "a" * 64
    assert claims["exp"] - claims["iat"] == 600
    assert claims["nbf"] == claims["iat"] == int(world.clock.time)
    assert set(claims) == {
        *("app_id", "app_name", "aud", "exp", "iat", "image", "image_digest", "iss", "jti", "machine_id"),
        *("machine_name", "machine_version", "nbf", "org_id", "org_name", "region", "sub"),
    }
    other = world.body.running[machine.id].mint_oidc("https://dispatcher.example")
    assert jwt.decode(other, options={"verify_signature": False})["jti"] != claims["jti"]


async def test_the_control_routes_show_the_live_machines_and_their_logs(world, http) -> None:
    machine = world.started()
    state = (await http.get("/_sim/state")).json()
    assert [(m["id"], m["state"], m["body_running"]) for m in state["machines"]] == [
        (machine.id, "started", True)
    ]
    assert (await http.get(f"/_sim/machines/{machine.id}/log")).text == f"log of {machine.id}"


async def test_serving_the_app_lets_time_pass_and_closes_the_bodies(world) -> None:
    app = build_app(world.sim)
    async with app.router.lifespan_context(app):
        machine = world.create()
        async with asyncio.timeout(5):
            while machine.state != "started":  # noqa: ASYNC110 - the model has no event to wait for
                await asyncio.sleep(0)
    assert world.body.running == {}
