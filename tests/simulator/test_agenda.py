"""What a simulator puts off happens in order of its due time, on whatever clock."""

import asyncio

from simulator.agenda import Agenda
from simulator.clock import WallClock


class HandClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)


def test_only_what_is_due_runs_and_equals_keep_their_order() -> None:
    clock, done = HandClock(), []
    agenda = Agenda(clock)
    agenda.after(2.0, lambda: done.append("late"))
    agenda.after(1.0, lambda: done.append("first"))
    agenda.after(1.0, lambda: done.append("second"))
    agenda.run_due()
    assert done == []
    clock.time = 1001.0
    agenda.run_due()
    assert done == ["first", "second"]
    assert agenda.next_due == 1002.0


def test_an_action_may_enter_another_for_now() -> None:
    clock, done = HandClock(), []
    agenda = Agenda(clock)
    agenda.after(0.0, lambda: agenda.after(0.0, lambda: done.append("then")))
    agenda.run_due()
    assert done == ["then"]
    assert agenda.next_due is None


async def test_a_sooner_action_wakes_a_sleeping_agenda() -> None:
    done = asyncio.Event()
    agenda = Agenda(WallClock())
    agenda.after(600.0, lambda: None)
    async with agenda.running():
        await asyncio.sleep(0)
        agenda.after(0.01, done.set)
        await asyncio.wait_for(done.wait(), 5)


async def test_an_action_that_fails_is_reported_and_not_swallowed() -> None:
    reported: asyncio.Queue[dict] = asyncio.Queue()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.put_nowait(context))
    agenda = Agenda(WallClock())
    agenda.after(0.0, lambda: {}["missing"])
    async with agenda.running():
        context = await asyncio.wait_for(reported.get(), 5)
    assert isinstance(context["exception"], KeyError)
