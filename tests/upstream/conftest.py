"""A clock that stands still until a test moves it."""

import pytest


class StillClock:
    def __init__(self, at: float = 1_000_000.0) -> None:
        self.at = at

    def now(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None:
        self.at += max(0.0, seconds)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()
