"""The real client on a wire that answers as each test says."""

from collections.abc import Callable

import httpx
import pytest

from runners.github.client import GitHub
from tests.github.wire import API_URL, API_VERSION, GivenTokens, ManualClock, Wire


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def tokens() -> GivenTokens:
    return GivenTokens()


@pytest.fixture
def github(wire: Wire, tokens: GivenTokens, clock: ManualClock) -> GitHub:
    return GitHub(wire, tokens, clock, api_url=API_URL, api_version=API_VERSION)


@pytest.fixture
def make_github(clock: ManualClock) -> Callable[..., GitHub]:
    def make(transport: httpx.AsyncBaseTransport, tokens: object, **changes: object) -> GitHub:
        return GitHub(transport, tokens, clock, **{"api_url": API_URL, "api_version": API_VERSION, **changes})

    return make
