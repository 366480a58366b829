"""--keep-serving: what is left up is stopped by its user, and that is no failure."""

import asyncio

import pytest

from runners.cli.demo.processes import DemoBroken
from runners.cli.demo.run import until_stopped


class Up:
    """Processes that run until one of them ends."""

    def __init__(self) -> None:
        self.looked = asyncio.Event()
        self.broken = False

    def check(self) -> None:
        self.looked.set()
        if self.broken:
            raise DemoBroken("the dispatcher ended")


async def test_a_demo_that_is_left_up_goes_on_to_its_verdict_when_it_is_told_to_stop():
    up = Up()
    serving = asyncio.create_task(until_stopped(up))
    await up.looked.wait()
    serving.cancel()
    assert await serving is None


async def test_a_process_that_ends_by_itself_breaks_a_demo_that_is_left_up():
    up = Up()
    up.broken = True
    with pytest.raises(DemoBroken):
        await until_stopped(up)
