"""Whatever happens, a stream sends something every HEARTBEAT_S; a heartbeat carries the revision of now."""

import asyncio

import pytest
from api_world import payload
from test_api_stream import streaming

from runners.api.stream import HEARTBEAT_S, STORE_AWAY
from runners.store.errors import StoreUnavailable


@pytest.fixture
async def quiet(world):
    """A fleet without loops: none becomes late while the clock is moved by hand."""
    world.health = []
    return world


async def settle(turns=30):
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_who_may_not_see_what_changes_still_hears_a_heartbeat_with_the_current_revision(quiet):
    token = await quiet.token("read", repositories=("acme/api",))
    async with streaming(quiet, token) as client:
        first = await client.message()
        number, beats = 0, []
        for _ in range(3):
            begun = quiet.clock.at
            while quiet.clock.at < begun + HEARTBEAT_S:
                await settle()
                assert client.chunks.empty(), "a hidden change alone says nothing"
                number, quiet.clock.at = number + 1, quiet.clock.at + 1
                await quiet.deliver(payload(number, repository="acme/secret"))
            newest = (await quiet.events())[-1].seq
            beats.append(await client.message())
            assert (beats[-1].kind, beats[-1].revision, beats[-1].status) == ("heartbeat", newest, None)
        assert first.revision < beats[0].revision < beats[1].revision < beats[2].revision


async def test_a_change_that_is_seen_is_a_sign_of_life_too(quiet):
    token = await quiet.token("read", repositories=("acme/api",))
    async with streaming(quiet, token) as client:
        await client.message()
        quiet.clock.at += HEARTBEAT_S - 1
        await quiet.deliver(payload(1))
        assert (await client.message()).kind == "status"
        quiet.clock.at += HEARTBEAT_S - 1
        await quiet.deliver(payload(2, repository="acme/secret"))
        await settle()
        assert client.chunks.empty()
        quiet.clock.at += 1
        await quiet.deliver(payload(3, repository="acme/secret"))
        assert (await client.message()).kind == "heartbeat"


async def test_while_the_store_is_away_the_stream_lives_and_tells_no_revision(quiet, monkeypatch):
    async with streaming(quiet, await quiet.token("read")) as client:
        await client.message()

        async def away(_op):
            raise StoreUnavailable("read", "it is away", "wait")

        monkeypatch.setattr(quiet.store, "run", away)
        quiet.clock.at += HEARTBEAT_S
        quiet.changes.notify()
        message = await asyncio.wait_for(client.chunks.get(), 5)
        assert message["body"].decode() == STORE_AWAY
        monkeypatch.undo()
        quiet.clock.at += HEARTBEAT_S
        quiet.changes.notify()
        assert (await client.message()).kind == "heartbeat"
