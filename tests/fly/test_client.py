"""FlyClient against a network that answers as Fly was seen to answer."""

import json

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from fly import errors
from fly.client import FlyClient
from fly.models import CreateMachine, CreateVolume, Event, Guest, Machine, MachineConfig, StopMachine

MACHINE = {
    "id": "148ed193f01189",
    "name": "fleet-1",
    "state": "created",
    "region": "iad",
    "host_status": "ok",
    "config": {"image": "i", "metadata": {"a": "b"}, "surprise": 1},
    "events": [],
    "a_new_field": {"x": 1},
}

CONFIG = {
    "image": "registry.fly.io/r@sha256:" + "a" * 64,
    "guest": {"cpu_kind": "performance", "cpus": 2, "memory_mb": 8192},
    "env": {"A": "b"},
    "metadata": {"c": "d"},
    "restart": {"policy": "no"},
    "auto_destroy": True,
    "rootfs": {"size_gb": 20},
    "stop_config": {"signal": "SIGTERM", "timeout": "30s"},
    "dns": {"skip_registration": True},
    "processes": [{"ignore_app_secrets": True}],
    "mounts": [],
}


class Wire:
    """Answers every request with one canned answer and keeps the requests."""

    def __init__(self, status=200, **answer):
        self.requests = []
        self.status = status
        self.answer = answer
        self.token = "secret-token-value"

    def handle(self, request):
        self.requests.append(request)
        return httpx.Response(self.status, **self.answer)

    def client(self, handler=None):
        http = httpx.AsyncClient(transport=httpx.MockTransport(handler or self.handle))
        return FlyClient(http, token=lambda: SecretStr(self.token), base_url="https://fly.test/")

    def sent(self):
        (request,) = self.requests
        return f"{request.method} {request.url}"


def create_request(**changes):
    return CreateMachine.model_validate({"name": "fleet-1", "region": "iad", "config": CONFIG, **changes})


async def test_a_create_sends_the_whole_request_once_and_reads_the_machine():
    wire = Wire(json=MACHINE)
    machine = await wire.client().create_machine("app-a", create_request(skip_launch=True))
    assert machine.id == "148ed193f01189"
    assert wire.sent() == "POST https://fly.test/v1/apps/app-a/machines"
    assert json.loads(wire.requests[0].content) == {
        "name": "fleet-1",
        "region": "iad",
        "config": CONFIG,
        "skip_launch": True,
        "skip_secrets": False,
    }
    assert wire.requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (lambda fly: fly.list_machines("a"), "GET https://fly.test/v1/apps/a/machines"),
        (
            lambda fly: fly.list_machines("a", include_deleted=True),
            "GET https://fly.test/v1/apps/a/machines?include_deleted=true",
        ),
        (
            lambda fly: fly.list_events("a", "m1"),
            "GET https://fly.test/v1/apps/a/machines/m1/events?limit=50",
        ),
        (lambda fly: fly.list_volumes("a"), "GET https://fly.test/v1/apps/a/volumes"),
        (lambda fly: fly.start_machine("a", "m1"), "POST https://fly.test/v1/apps/a/machines/m1/start"),
        (lambda fly: fly.stop_machine("a", "m1"), "POST https://fly.test/v1/apps/a/machines/m1/stop"),
        (
            lambda fly: fly.destroy_machine("a", "m1"),
            "DELETE https://fly.test/v1/apps/a/machines/m1?force=true",
        ),
        (
            lambda fly: fly.destroy_machine("a", "m1", force=False),
            "DELETE https://fly.test/v1/apps/a/machines/m1",
        ),
    ],
)
async def test_each_call_goes_where_fly_documents_it(call, expected):
    wire = Wire(json=[])
    await call(wire.client())
    assert wire.sent() == expected


async def test_a_volume_is_created_as_asked_and_deleted_by_its_id():
    wire = Wire(json={"id": "vol_1", "state": "created", "attached_machine_id": None, "new_field": 1})
    guest = {"cpu_kind": "performance", "cpus": 2, "memory_mb": 8192}
    asked = {"name": "fgha_x", "region": "iad", "size_gb": 20, "compute": guest, "snapshot_retention": 1}
    request = CreateVolume.model_validate({**asked, "auto_backup_enabled": False})
    assert (await wire.client().create_volume("a", request)).id == "vol_1"
    assert wire.sent() == "POST https://fly.test/v1/apps/a/volumes"
    assert json.loads(wire.requests[0].content) == {**asked, "auto_backup_enabled": False}
    await wire.client().delete_volume("a", "vol_1")
    assert (wire.requests[1].method, wire.requests[1].url.path) == ("DELETE", "/v1/apps/a/volumes/vol_1")


@pytest.mark.parametrize(
    "wrong",
    [{"name": "has-dash"}, {"name": "x" * 31}, {"size_gb": 501}, {"snapshot_retention": 0}, {"siz": 1}],
)
def test_a_volume_that_fly_would_refuse_is_not_asked_for(wrong):
    guest = {"cpu_kind": "performance", "cpus": 2, "memory_mb": 8192}
    good = {"name": "x", "region": "iad", "size_gb": 1, "compute": guest, "snapshot_retention": 1}
    with pytest.raises(ValidationError):
        CreateVolume.model_validate({**good, "auto_backup_enabled": False, **wrong})


async def test_a_stop_sends_an_object_and_only_what_is_set():
    wire = Wire(json={"ok": True})
    await wire.client().stop_machine("a", "m1")
    await wire.client().stop_machine("a", "m1", StopMachine(signal="SIGKILL", timeout="5s"))
    assert [json.loads(request.content) for request in wire.requests] == [
        {"signal": "SIGTERM"},
        {"signal": "SIGKILL", "timeout": "5s"},
    ]


async def test_a_start_sends_no_body():
    wire = Wire(json={"previous_state": "stopped", "migrated": False, "new_host": ""})
    await wire.client().start_machine("a", "m1")
    assert wire.requests[0].content == b""


@pytest.mark.parametrize("body", [b"null", b"[]"])
async def test_an_empty_list_may_be_null(body):
    assert await Wire(content=body).client().list_machines("a") == ()


@pytest.mark.parametrize(
    ("token", "header"),
    [
        ("plain", "Bearer plain"),
        (" plain\n", "Bearer plain"),
        ("FlyV1 fm2_a,fm2_b", "FlyV1 fm2_a,fm2_b"),
        ("Bearer x", "Bearer x"),
        ("fm2_a,fm2_b", "FlyV1 fm2_a,fm2_b"),
        ("fo1_x", "Bearer fo1_x"),
    ],
)
async def test_a_token_is_sent_with_its_own_scheme_or_the_fitting_one(token, header):
    wire = Wire(json=[])
    wire.token = token
    await wire.client().list_machines("a")
    assert wire.requests[0].headers["authorization"] == header


async def test_a_rotated_token_is_used_by_the_next_call():
    wire = Wire(json=[])
    fly = wire.client()
    await fly.list_machines("a")
    wire.token = "second"
    await fly.list_machines("a")
    assert [request.headers["authorization"] for request in wire.requests] == [
        "Bearer secret-token-value",
        "Bearer second",
    ]


@pytest.mark.parametrize("token", ["", "  ", "a\nb", "a\x00b", "pässword"])
async def test_a_token_no_header_can_carry_is_refused_unsent_and_unquoted(token):
    wire = Wire(json=[])
    wire.token = token
    with pytest.raises(errors.FlyUnusable) as caught:
        await wire.client().list_machines("a")
    assert wire.requests == []
    assert not token.strip() or token not in str(caught.value)


@pytest.mark.parametrize("bad", ["", "..", ".", "a/b", "a?b", "a b", "-a", "ä", "x" * 101, "a%2fb"])
async def test_a_name_that_would_address_something_else_is_refused_unsent(bad):
    wire = Wire(json=MACHINE)
    for call in (wire.client().get_machine(bad, "m1"), wire.client().get_machine("a", bad)):
        with pytest.raises(errors.FlyInvalid):
            await call
    assert wire.requests == []


async def test_a_refusal_carries_what_fly_said_and_never_the_token():
    wire = Wire(
        422,
        json={"error": "full secret-token-value " + "x" * 400, "status": "insufficient_capacity"},
        headers={"fly-request-id": "01REQ", "retry-after": "3"},
    )
    with pytest.raises(errors.FlyNoCapacity) as caught:
        await wire.client().create_machine("a", create_request())
    error = caught.value
    assert (error.status, error.code, error.request_id, error.retry_after) == (
        422,
        "insufficient_capacity",
        "01REQ",
        "3",
    )
    assert "secret-token-value" not in str(error) + repr(error)
    assert "[token]" in error.text
    assert len(wire.requests) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
async def test_no_failed_call_is_ever_repeated(status):
    wire = Wire(status)
    fly = wire.client()
    for call in (
        fly.list_machines("a"),
        fly.create_machine("a", create_request()),
        fly.destroy_machine("a", "m"),
    ):
        with pytest.raises(errors.FlyError):
            await call
    assert len(wire.requests) == 3


async def test_a_lost_answer_keeps_its_cause():
    def handler(request):
        raise httpx.ReadTimeout("slow", request=request)

    with pytest.raises(errors.FlyUnanswered) as caught:
        await Wire().client(handler).create_machine("a", create_request())
    assert isinstance(caught.value.__cause__, httpx.ReadTimeout)
    assert caught.value.ambiguous


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"<html>", b'{"id":""}', b'{"id":"m","state":7}'])
async def test_a_good_status_with_an_unreadable_machine_is_ambiguous_and_unquoted(body):
    with pytest.raises(errors.FlyBadAnswer) as caught:
        await Wire(content=body).client().create_machine("a", create_request())
    assert caught.value.ambiguous
    assert caught.value.__cause__ is None
    assert "html" not in str(caught.value)


async def test_one_unreadable_machine_makes_the_list_unknown_not_shorter():
    with pytest.raises(errors.FlyBadAnswer):
        await Wire(json=[MACHINE, {"name": "no id"}]).client().list_machines("a")


def test_what_we_send_refuses_a_misspelt_option():
    with pytest.raises(ValidationError):
        MachineConfig.model_validate({**CONFIG, "rootfs_size_gb": 30})
    with pytest.raises(ValidationError):
        Guest.model_validate({"cpu_kind": "performance", "cpus": 2, "memory_mb": 8192, "gpu": 1})


EXIT = {"exit_code": 137, "oom_killed": True, "requested_stop": False}


@pytest.mark.parametrize("request_field", [{"exit_event": EXIT}, {"MonitorEvent": {"exit_event": EXIT}}])
def test_an_exit_is_read_from_either_place(request_field):
    found = Event.model_validate({"type": "exit", "timestamp": 1, "request": request_field}).exit_event
    assert found is not None
    assert (found.exit_code, found.oom_killed) == (137, True)


@pytest.mark.parametrize(
    "request_field", [None, {}, {"exit_event": 7}, {"MonitorEvent": 7}, {"exit_event": {"exit_code": "x"}}]
)
def test_an_event_without_a_readable_exit_has_none(request_field):
    assert Event.model_validate({"type": "exit", "timestamp": 1, "request": request_field}).exit_event is None


def test_the_exit_with_the_greatest_timestamp_is_the_last():
    events = [
        {"type": "exit", "timestamp": 5, "request": {"exit_event": {"exit_code": 1}}},
        {"type": "exit", "timestamp": 9, "request": {"exit_event": {"exit_code": 22}}},
        {"type": "destroy", "timestamp": 10, "request": None},
    ]
    machine = Machine.model_validate({"id": "m", "events": events})
    assert machine.last_exit is not None
    assert machine.last_exit.exit_code == 22
    assert Machine.model_validate({"id": "m", "events": None}).last_exit is None
