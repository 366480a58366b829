"""Every answer names its exchange, and so does the log where a request fails."""

import re

import pytest
from api_world import payload
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs
from test_api_stream import streaming

from runners.store.errors import StoreUnavailable

MADE = re.compile(r"[0-9a-f]{16}")


@pytest.mark.parametrize("own", ["a", "agent-7.call_42", "X" * 64])
async def test_a_callers_own_id_comes_back(world, own):
    answer = await (await world.reader()).get("/v1/pools", headers={"x-request-id": own})
    assert answer.headers["x-request-id"] == own


@pytest.mark.parametrize("bad", [b"", b"x" * 65, b"a b", b"a\xc3\xa9", b"a\n", b"a;b", b"<i>"])
async def test_an_id_that_is_not_well_formed_is_replaced_and_never_echoed(world, bad):
    answer = await (await world.reader()).get("/v1/pools", headers=[(b"x-request-id", bad)])
    assert MADE.fullmatch(answer.headers["x-request-id"])
    assert answer.status_code == 200


async def test_two_ids_are_none(world):
    answer = await world.client.get("/healthz", headers=[("x-request-id", "a"), ("x-request-id", "b")])
    assert MADE.fullmatch(answer.headers["x-request-id"])


async def test_each_call_without_one_gets_its_own(world):
    ids = {(await world.client.get("/healthz")).headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("route", ["/healthz", "/nowhere", "/v1/status", "/v1/jobs/1", "/webhooks/github"])
async def test_errors_and_open_routes_carry_one_too(world, route):
    answer = await world.client.get(route, headers={"x-request-id": "r-1"})
    assert answer.headers["x-request-id"] == "r-1"


async def test_a_webhooks_answer_carries_one(world):
    assert MADE.fullmatch((await world.deliver(payload(1))).headers["x-request-id"])


async def test_the_stream_has_one_and_is_not_held_back(world):
    async with streaming(world, await world.token("read")) as client:
        assert (await client.message()).kind == "status"
        assert MADE.fullmatch(client.headers["x-request-id"])


async def test_the_log_names_the_request_that_met_an_absent_store(world, monkeypatch):
    client = await world.reader()

    async def away(_op):
        raise StoreUnavailable("read", "it is away", "wait")

    monkeypatch.setattr(world.store, "run", away)
    with capture_logs([merge_contextvars]) as logs:
        answer = await client.get("/v1/pools", headers={"x-request-id": "r-2"})
    assert answer.status_code == 503
    assert [(line["event"], line["request_id"]) for line in logs] == [("api.store_unavailable", "r-2")]


async def test_the_log_names_the_request_that_nobody_expected_to_fail(world, monkeypatch):
    client = await world.reader()
    monkeypatch.setattr(world, "settings", None)
    with capture_logs([merge_contextvars]) as logs:
        answer = await client.get("/v1/pools", headers={"x-request-id": "r-3"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "r-3")
    assert [(line["event"], line["request_id"]) for line in logs] == [("api.failed", "r-3")]
