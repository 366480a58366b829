"""What Fly says of apps, regions and the token, through its simulated face."""

import httpx
import pytest
from pydantic import SecretStr

from machines.survey import SHARED_NETWORK, Survey, TokenSeen
from runners.upstream.errors import ErrorClass, UpstreamError
from tests.contracts.fly_scenes import APP, TOKEN, URL, make_world


@pytest.fixture
async def world():
    made = make_world()
    async with made.http:
        yield made


def survey(world, token=TOKEN):
    http = httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=URL)
    return Survey(http, world.clock, token=lambda: SecretStr(token), base_url=URL)


async def test_an_app_tells_its_network_and_its_organization(world):
    assert (await survey(world).app(APP)).network == f"{APP}-net"
    world.sim.networks[APP] = SHARED_NETWORK
    seen = await survey(world).app(APP)
    assert (seen.network, seen.organization) == (SHARED_NETWORK, "acme")


async def test_regions_and_the_token_are_read(world):
    assert {"iad", "ams"} <= await survey(world).regions()
    assert await survey(world).tokens() == (TokenSeen("acme", (APP,), personal=False, machine_bound=False),)


async def test_the_image_of_a_machine_that_is_gone_is_still_known(world):
    machine = await world.launched("m-1")
    world.bodies.exit(machine.id, 0)
    world.wait()
    assert await survey(world).images(APP) == {"sha256:" + "a" * 64}


@pytest.mark.parametrize("call", ["app", "images"])
async def test_an_app_that_is_not_there_is_not_found(world, call):
    with pytest.raises(UpstreamError) as failed:
        await getattr(survey(world), call)("no-such-app")
    assert failed.value.error_class is ErrorClass.NOT_FOUND


async def test_a_token_that_is_not_taken_is_refused(world):
    for call in (survey(world, "nobody").regions(), survey(world, "nobody").tokens()):
        with pytest.raises(UpstreamError) as failed:
            await call
        assert failed.value.error_class is ErrorClass.REFUSED
