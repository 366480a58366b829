"""Volumes at launch: first the volume, then its Machine, and none is left when that is surely not there."""

import json
from dataclasses import replace

import httpx
import pytest

from machines.config import volume_name
from runners.upstream.errors import ErrorClass
from tests.machines.test_provider import APP, ONE, ORDER, Fly, failure, machine, taken

VOLUMES = "/v1/apps/runners-a/volumes"
VOLUME = "vol_4542n7k3zkl6n3zv"
DELETE = f"DELETE {VOLUMES}/{VOLUME}"
CREATE, MACHINE = f"POST {VOLUMES}", f"POST {APP}"
SMALL = replace(ORDER, machine_class="gha-small")


def volume(volume_id=VOLUME, **changes):
    made = {"id": volume_id, "name": volume_name("fleet"), "state": "created", "region": "iad", "size_gb": 20}
    return {**made, "attached_machine_id": None, "host_status": "ok", **changes}


@pytest.fixture
def fly():
    found = Fly()
    found.routes = {CREATE: volume(), MACHINE: machine(), DELETE: volume(state="pending_destroy")}
    return found


async def test_the_volume_comes_first_and_its_machine_mounts_it(fly):
    bodies = []
    handle = fly.handle

    async def keep(request):
        bodies.append(json.loads(request.content))
        return await handle(request)

    fly.handle = keep
    await fly.provider().launch(SMALL)
    assert fly.asked == [CREATE, MACHINE]
    assert (bodies[0]["region"], bodies[0]["size_gb"]) == ("iad", 20)
    assert bodies[1]["config"]["mounts"] == [{"volume": VOLUME, "path": "/fly-gha-disk"}]
    assert bodies[1]["config"]["env"]["FLY_GHA_DISK"] == "volume"


async def test_a_class_without_a_volume_asks_for_none(fly):
    await fly.provider().launch(ORDER)
    assert fly.asked == [MACHINE]


@pytest.mark.parametrize(
    ("answer", "error_class"),
    [
        (httpx.Response(422, json={"error": "x", "status": "insufficient_capacity"}), ErrorClass.NO_CAPACITY),
        (
            httpx.Response(412, json={"error": "x", "status": "volume_placement_capacity"}),
            ErrorClass.NO_CAPACITY,
        ),
        (httpx.Response(429, json={"error": "rate limit exceeded"}), ErrorClass.TRY_LATER),
        (httpx.Response(403, json={"error": "unauthorized"}), ErrorClass.REFUSED),
        (httpx.Response(400, json={"error": "invalid_argument"}), ErrorClass.OUR_FAULT),
        (httpx.ConnectError("refused"), ErrorClass.TRY_LATER),
    ],
)
async def test_a_machine_that_is_surely_not_there_leaves_no_volume(fly, answer, error_class):
    fly.routes[MACHINE] = answer
    error = await failure(fly.provider().launch(SMALL))
    assert (error.error_class, error.answered) == (error_class, True)
    assert fly.asked == [CREATE, MACHINE, DELETE]


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(503),
        httpx.Response(408, json={"error": "deadline_exceeded"}),
        httpx.Response(200, content=b"<html>"),
        httpx.ReadError("cut"),
    ],
)
async def test_a_machine_that_may_be_there_keeps_its_volume(fly, answer):
    fly.routes[MACHINE] = answer
    error = await failure(fly.provider().launch(SMALL))
    assert not error.answered
    assert fly.asked == [CREATE, MACHINE]


@pytest.mark.parametrize("answer", [httpx.Response(412), httpx.Response(503), httpx.ReadError("cut")])
async def test_a_volume_that_cannot_be_deleted_changes_nothing_about_the_refusal(fly, answer):
    fly.routes[MACHINE] = httpx.Response(422, json={"error": "x", "status": "insufficient_capacity"})
    fly.routes[DELETE] = answer
    assert (await failure(fly.provider().launch(SMALL))).error_class is ErrorClass.NO_CAPACITY


async def test_a_machine_of_an_earlier_create_has_its_volume_and_needs_no_other(fly):
    fly.routes |= {MACHINE: taken(), f"GET {ONE}": machine(state="started")}
    assert (await fly.provider().launch(SMALL)).state == "started"
    assert fly.asked == [CREATE, MACHINE, DELETE, f"GET {ONE}"]


@pytest.mark.parametrize(
    "answer", [httpx.Response(503), httpx.ReadError("cut"), httpx.Response(422, json={"error": "no"})]
)
async def test_without_its_volume_the_machine_is_not_asked_for_so_nothing_is_in_doubt(fly, answer):
    fly.routes[CREATE] = answer
    assert (await failure(fly.provider().launch(SMALL))).answered
    assert fly.asked == [CREATE]


async def test_the_list_shows_what_is_ours_and_not_being_deleted(fly):
    fly.routes[f"GET {VOLUMES}"] = [
        volume("vol_1"),
        volume("vol_2", attached_machine_id="148ed193f01189"),
        volume("vol_3", attached_alloc_id="148ed193f01189"),
        volume("vol_4", host_status="unreachable"),
        volume("vol_5", state="pending_destroy"),
        volume("vol_6", state="scheduling_destroy"),
        volume("vol_7", name=volume_name("fleet-2")),
        volume("vol_8", name="data"),
    ]
    found = await fly.provider().volumes.list("runners-a", "fleet")
    assert [(each.volume_id, each.attached) for each in found] == [
        ("vol_1", False),
        ("vol_2", True),
        ("vol_3", True),
        ("vol_4", True),
    ]


async def test_a_list_that_fails_is_unknown_and_no_list_is_empty(fly):
    fly.routes[f"GET {VOLUMES}"] = httpx.Response(503)
    await failure(fly.provider().volumes.list("runners-a", "fleet"))
    fly.routes[f"GET {VOLUMES}"] = httpx.Response(200, content=b"null")
    assert await fly.provider().volumes.list("runners-a", "fleet") == ()


async def test_a_volume_that_is_not_there_is_deleted_already(fly):
    fly.routes[DELETE] = httpx.Response(404, json={"error": "volume not found"})
    await fly.provider().volumes.delete("runners-a", VOLUME)
    fly.routes[DELETE] = httpx.Response(412, json={"error": "attached"})
    assert (await failure(fly.provider().volumes.delete("runners-a", VOLUME))).answered


async def test_a_machine_says_what_it_mounts(fly):
    fly.routes[f"GET {APP}"] = [machine(config={"mounts": [{"volume": VOLUME}, {}]}), machine("m2")]
    assert [each.volumes for each in await fly.provider().list("runners-a")] == [(VOLUME,), ()]
