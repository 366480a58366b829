"""A loop has a period and a wake-up; one pass at a time; a failing pass ends nothing."""

import asyncio
import contextlib

import pytest

from runners.control.effects import Effects
from runners.control.loop import Loop
from tests.fleet_world import HandClock, met

LONG = 3600.0


class Passes:
    """Counts passes and does what the test says in each."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.begun = 0
        self.running = 0
        self.most = 0
        self.hold = None

    async def __call__(self):
        self.begun += 1
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            if self.hold is not None:
                await self.hold.wait()
            outcome = self.outcomes.pop(0) if self.outcomes else None
            if isinstance(outcome, Exception):
                raise outcome
            return outcome
        finally:
            self.running -= 1


@contextlib.asynccontextmanager
async def running(loop):
    task = asyncio.create_task(loop.run())
    try:
        yield
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


@pytest.fixture
def clock():
    return HandClock()


async def test_a_failing_pass_ends_nothing_and_is_counted(clock):
    passes = Passes(RuntimeError("boom"), None)
    loop = Loop("test", LONG, passes, clock)
    async with running(loop):
        await met(lambda: loop.health.failures == 1)
        assert loop.health.last_error == "RuntimeError: boom"
        assert loop.health.last_pass_at is None
        loop.wake()
        await met(lambda: loop.health.passes == 1)
    assert (loop.health.failures, loop.health.last_error) == (1, "")
    assert loop.health.last_pass_at == clock.now()


async def test_a_loop_waits_its_period_when_nothing_wakes_it(clock):
    passes = Passes()
    async with running(Loop("test", LONG, passes, clock)):
        await met(lambda: passes.begun == 1)
        for _ in range(20):
            await asyncio.sleep(0)
        assert passes.begun == 1


async def test_the_period_is_the_retry(clock):
    passes = Passes(RuntimeError("boom"))
    async with running(Loop("test", 0.01, passes, clock)):
        await met(lambda: passes.begun >= 3)


async def test_a_wake_up_runs_the_next_pass_now(clock):
    passes = Passes()
    loop = Loop("test", LONG, passes, clock)
    async with running(loop):
        for count in (1, 2, 3):
            await met(lambda count=count: passes.begun == count)
            loop.wake()
        await met(lambda: passes.begun == 4)


async def test_wake_ups_during_a_pass_make_one_more_pass_and_never_two_at_once(clock):
    passes = Passes()
    passes.hold = asyncio.Event()
    loop = Loop("test", LONG, passes, clock)
    async with running(loop):
        await met(lambda: passes.begun == 1)
        for _ in range(5):
            loop.wake()
        passes.hold.set()
        await met(lambda: passes.begun == 2)
        for _ in range(20):
            await asyncio.sleep(0)
        assert (passes.begun, passes.most) == (2, 1)


async def test_a_pass_may_ask_to_run_again_before_the_period(clock):
    passes = Passes(clock.now() + 0.01, None)
    async with running(Loop("test", LONG, passes, clock)):
        await met(lambda: passes.begun == 2)


async def test_a_pass_that_asks_for_the_past_does_not_starve_the_others(clock):
    passes = Passes(*[clock.now() - 5.0] * 50)
    async with running(Loop("test", LONG, passes, clock)):
        await asyncio.wait_for(met(lambda: passes.begun >= 51), 5)


async def test_a_pass_may_not_ask_to_run_later_than_the_period(clock):
    passes = Passes(clock.now() + LONG)
    async with running(Loop("test", 0.01, passes, clock)):
        await met(lambda: passes.begun >= 2)


async def test_one_effects_failure_is_said_and_ends_no_other(capsys):
    effects, done = Effects(), []

    async def fail():
        raise RuntimeError("a defect")

    async def work():
        await asyncio.sleep(0)
        done.append(1)

    effects.start("fail", fail())
    effects.start("work", work())
    await effects.settled()
    assert (done, effects.running) == ([1], 0)
    assert "effect.failed" in capsys.readouterr().out


async def test_settled_waits_for_what_effects_start():
    effects, done = Effects(), []

    async def inner():
        await asyncio.sleep(0)
        done.append("inner")

    async def outer():
        await asyncio.sleep(0)
        effects.start("inner", inner())

    effects.start("outer", outer())
    await effects.settled()
    assert done == ["inner"]


async def test_stop_abandons_what_does_not_end_in_time():
    effects, ends = Effects(), []

    async def endless():
        try:
            await asyncio.Event().wait()
        finally:
            ends.append("cancelled")

    effects.start("endless", endless())
    await effects.stop(0.01)
    assert (ends, effects.running) == (["cancelled"], 0)
