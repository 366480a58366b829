"""The status stream takes the page's cookie, GET only, as far and as long as its token may see."""

from api_world import NOW, payload
from test_api_stream import streaming
from test_page_signin import signed_in

from runners.api.page.session import COOKIE, SESSION_S


async def test_the_stream_opens_by_the_cookie_and_ends_when_its_owner_signs_out(world):
    client = await signed_in(world)
    async with by_cookie(world, client) as stream:
        assert (await stream.message()).kind == "status"
        await client.post("/signout")
        assert await stream.message() is None


async def test_the_stream_ends_with_the_session(world):
    client = await signed_in(world)
    async with by_cookie(world, client) as stream:
        await stream.message()
        world.clock.at = NOW + SESSION_S
        world.changes.notify()
        assert await stream.message() is None


async def test_a_limited_tokens_cookie_shows_what_the_token_may_see(world):
    client = await signed_in(world, pools=("gha-medium",))
    await world.deliver(payload(1))
    async with by_cookie(world, client) as stream:
        first = await stream.message()
        assert [pool.name for pool in first.status.pools] == ["gha-medium"]
        assert first.status.queue.queued == 0


async def test_a_cookie_that_has_ended_is_told_where_to_go(world):
    client = await signed_in(world)
    world.clock.at = NOW + SESSION_S
    answer = await client.get("/v1/status/stream")
    assert answer.status_code == 401
    assert "/signin" in answer.json()["next_step"]


async def test_a_bearer_token_comes_before_the_cookie(world):
    client = await signed_in(world)
    answer = await client.get("/v1/status/stream", headers={"authorization": "Bearer wrong"})
    assert answer.status_code == 401


async def test_the_cookie_opens_the_stream_by_no_other_method(world):
    client = await signed_in(world)
    assert (await client.post("/v1/status/stream")).status_code == 405


def by_cookie(world, client):
    held = f"{COOKIE}={client.cookies[COOKIE]}".encode()
    return streaming(world, None, headers=[(b"cookie", held)])
