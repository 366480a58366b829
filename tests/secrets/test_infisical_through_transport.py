"""The Infisical client on the transport that production gives it: one deadline, and a breaker."""

import asyncio

import httpx
import pytest

from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.interface import Vault
from runners.upstream.errors import ErrorClass, UpstreamError
from runners.upstream.transport import UpstreamTransport


def _through(world, inner: httpx.AsyncBaseTransport, deadline: float = 5.0) -> InfisicalSecrets:
    transport = UpstreamTransport(
        "infisical", inner, world.clock, deadline=deadline, key=lambda _: "infisical"
    )
    return world.through(transport)


async def test_secrets_come_through_and_an_unchanged_folder_too(world):
    secrets = _through(world, world.wire)
    assert await secrets.read() == await secrets.read()


async def test_an_infisical_that_keeps_failing_is_left_alone_and_the_last_reading_serves(world, clock):
    vault = Vault(_through(world, world.wire), clock, period=30)
    await vault.refresh()
    world.wire.cut = httpx.ConnectError
    for _ in range(5):
        with pytest.raises(UpstreamError):
            await vault.refresh()
    sent = len(world.wire.sent)
    with pytest.raises(UpstreamError) as left_alone:
        await vault.refresh()
    assert len(world.wire.sent) == sent
    assert left_alone.value.error_class is ErrorClass.TRY_LATER
    assert left_alone.value.retry_at == clock.now() + 900
    assert vault.require("FLY_API_TOKEN").get_secret_value() == "fly-value-1"


async def test_an_infisical_that_hangs_costs_one_deadline_and_not_more(world):
    class Hanging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError(request.url)

    with pytest.raises(UpstreamError, match="no complete answer") as late:
        await _through(world, Hanging(), deadline=0.05).read()
    assert late.value.error_class is ErrorClass.TRY_LATER
