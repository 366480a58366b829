import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from api_world import payload

from runners.api import stream
from runners.store import tokens
from runners.wire.stream import StreamMessage


class Client:
    """Reads server-sent events straight from the app; it takes the next message only when asked."""

    def __init__(self):
        self.chunks = asyncio.Queue(maxsize=1)
        self.status = None
        self.headers = {}
        self.left = asyncio.Event()
        self.buffer = ""

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
            return
        await self.chunks.put(message)

    async def receive(self):
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def frame(self):
        while "\n\n" not in self.buffer:
            async with asyncio.timeout(5):
                message = await self.chunks.get()
            if not message.get("more_body"):
                return None
            self.buffer += message["body"].decode()
        frame, _, self.buffer = self.buffer.partition("\n\n")
        return dict(line.split(": ", 1) for line in frame.splitlines())

    async def message(self):
        frame = await self.frame()
        if frame is None:
            return None
        if "data" not in frame:
            return await self.message()
        message = StreamMessage.model_validate(json.loads(frame["data"]))
        assert frame["id"] == str(message.revision)
        assert frame["event"] == message.kind
        return message


@asynccontextmanager
async def streaming(world, token, last_event_id=None, headers=()):
    bearer = [] if token is None else [(b"authorization", f"Bearer {token}".encode())]
    headers = [(b"host", b"fleet"), *bearer, *headers]
    if last_event_id is not None:
        headers.append((b"last-event-id", str(last_event_id).encode()))
    scope = {
        "type": "http", "method": "GET", "path": "/v1/status/stream", "raw_path": b"/v1/status/stream",
        "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http",
        "server": ("fleet", 80), "client": ("127.0.0.1", 1), "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    client = Client()
    served = asyncio.ensure_future(world.app(scope, client.receive, client.send))
    try:
        yield client
    finally:
        client.left.set()
        served.cancel()
        await asyncio.wait({served})


async def test_a_stream_begins_with_the_whole_fleet_and_goes_on_with_each_change(world):
    async with streaming(world, await world.token("read")) as client:
        first = await client.message()
        assert (first.kind, first.targets, first.status.queue.queued) == ("status", None, 0)
        await world.deliver(payload(1))
        second = await client.message()
        assert second.revision > first.revision
        assert (second.targets, second.status.queue.queued) == (("job/1",), 1)


async def test_who_comes_back_is_told_what_changed_in_between(world):
    token = await world.token("read")
    async with streaming(world, token) as client:
        seen = (await client.message()).revision
    for number in (1, 2, 1):
        await world.deliver(payload(number))
    async with streaming(world, token, seen) as client:
        assert (await client.message()).targets == ("job/1", "job/2")


@pytest.mark.parametrize("last", ["x", "-1", "9" * 40, "99999", "²"])
async def test_a_last_event_id_that_is_no_revision_of_ours_counts_as_a_first_visit(world, last):
    await world.deliver(payload(1))
    async with streaming(world, await world.token("read"), last) as client:
        assert (await client.message()).targets is None


async def test_too_many_changes_are_not_listed(world, monkeypatch):
    monkeypatch.setattr(stream, "TARGETS_MAX", 2)
    await world.deliver(payload(1))
    revision = (await world.events())[-1].seq
    for number in (2, 3, 4):
        await world.deliver(payload(number))
    async with streaming(world, await world.token("read"), revision) as client:
        assert (await client.message()).targets is None


async def test_a_slow_client_skips_states_and_nothing_is_queued_for_it(world):
    async with streaming(world, await world.token("read")) as client:
        await client.message()
        for number in range(1, 101):
            await world.deliver(payload(number))
            await asyncio.sleep(0)
        messages = []
        while not messages or messages[-1].status.queue.queued < 100:
            messages.append(await client.message())
        assert len(messages) <= 5
        assert {target for message in messages for target in message.targets} == {
            f"job/{number}" for number in range(1, 101)
        }


async def test_without_changes_a_heartbeat_tells_that_the_stream_lives(world, monkeypatch):
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.5)
    async with streaming(world, await world.token("read")) as client:
        first = await client.message()
        beat = await client.message()
        assert (beat.kind, beat.revision, beat.status) == ("heartbeat", first.revision, None)


async def test_a_new_plan_without_an_event_is_a_change_too(world):
    await world.add_job(1)
    async with streaming(world, await world.token("read")) as client:
        first = await client.message()
        world.blocked_until = {"fly:app-a": world.clock.now() + 60}
        world.changes.notify()
        second = await client.message()
        assert (second.kind, second.revision, second.targets) == ("status", first.revision, ())


async def test_a_limited_stream_tells_nothing_of_what_may_not_be_seen(world):
    token = await world.token("read", repositories=("acme/api",))
    async with streaming(world, token) as client:
        await client.message()
        await world.deliver(payload(1, repository="acme/secret"))
        for _ in range(20):
            await asyncio.sleep(0)
        await world.deliver(payload(2))
        message = await client.message()
        assert message.targets == ("job/2",)
        assert message.status.queue.queued == 1


async def test_a_stream_ends_when_its_token_is_revoked(world):
    token = await world.token("read")
    async with streaming(world, token) as client:
        await client.message()
        await world.store.run(lambda conn: tokens.revoke(conn, token.split("_")[1], world.clock.now()))
        world.changes.notify()
        assert await client.message() is None


async def test_closing_ends_every_stream_so_that_a_shutdown_waits_for_none(world):
    async with streaming(world, await world.token("read")) as client:
        await client.message()
        world.changes.close()
        assert await client.message() is None


async def test_a_client_that_leaves_leaves_nothing_behind(world):
    async with streaming(world, await world.token("read")) as client:
        await client.message()
        assert world.changes.listening == 1
    assert world.changes.listening == 0


async def test_streams_are_counted_and_one_too_many_is_told_to_poll(world, monkeypatch):
    monkeypatch.setattr(stream, "STREAMS_MAX", 1)
    token = await world.token("read")
    async with streaming(world, token) as client:
        await client.message()
        answer = await world.client.get("/v1/status/stream", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, answer.json()["reason"]) == (503, "too_many_streams")
