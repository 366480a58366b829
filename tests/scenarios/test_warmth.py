"""Warm pools through the whole fleet, in virtual time: spares serve, come back, and roll over under load."""

import itertools

import pytest

from runners.model.reason import Reason
from runners.model.states import JobState, MachineState
from tests.fleet_world import DIGEST, Agent, open_world, pool

ROOM = {"fleet": {"max_machines": 40}, "fly": {"create_burst": 3, "creates_per_second": 1}}


class Crew:
    """The agents of all booted Machines, each taking the next step of its life at every turn."""

    def __init__(self, world):
        self.world = world
        self.agents = {}
        self.claimed_at = {}
        self.done = []

    async def turn(self, *, finish=True):
        for machine in self.world.started():
            agent = self.agents.setdefault(machine.id, Agent(self.world, machine))
            if agent.session is None:
                await self._claim(agent)
            elif not agent.busy and (job := await agent.begin()) is not None:
                agent.busy = job
            elif agent.busy and finish:
                self.done.append(agent.busy.id)
                await agent.finish(agent.busy)

    async def _claim(self, agent):
        answer = await agent.claim()
        if answer.status_code == 200:
            self.claimed_at[agent.machine.id] = self.world.clock.now()
            agent.busy = None
            await agent.listen()
        elif answer.status_code in (403, 410):
            agent.leave(24)


async def warm(world, ready=0, stopped=0):
    """Let the pool's spares be made, boot and come to rest."""
    crew = Crew(world)

    async def rested():
        await crew.turn()
        rows = await world.machines()
        states = [row.state for row in rows]
        return (states.count(MachineState.READY), states.count(MachineState.STOPPED)) == (ready, stopped)

    await world.until(rested, step=3.0, at_most=120.0)
    world.pass_time(world.settings.timing.spare_settle)
    await world.read_lists()
    return crew


def creates(world):
    return len(world.fly.journal.of("machine_created"))


async def test_stopped_spares_serve_a_burst_and_come_back_after_it(tmp_path):
    async with open_world(tmp_path, pools=[pool(stopped=4, max_machines=20)], **ROOM) as world:
        crew = await warm(world, stopped=4)
        spares = {row.fly_id for row in await world.machines()}
        jobs = await world.arrive(*(f"job-{number}" for number in range(7)))
        await world.plan()
        assert world.net.count("POST", "/start$") == 4
        assert creates(world) == 4 + 3, "three jobs more than spares, and no spare is made before them"
        for _ in range(12):
            await world.turn(2.0)
            await crew.turn()
        assert sorted(crew.done) == sorted(job.id for job in jobs)
        assert spares < set(crew.claimed_at)

        async def back():
            return [row.state for row in await world.machines()] == [MachineState.STOPPED] * 4

        await world.until(back, at_most=120.0)


async def test_ready_spares_get_their_registration_at_once_and_are_replaced(tmp_path):
    async with open_world(tmp_path, pools=[pool(ready=2)], **ROOM) as world:
        crew = await warm(world, ready=2)
        spares = {row.fly_id for row in await world.machines()}
        await world.arrive("one", "two")
        arrived = world.clock.now()
        await world.plan()
        await crew.turn()
        assert crew.claimed_at == dict.fromkeys(spares, arrived)
        assert creates(world) == 2 + 2


async def test_an_image_rolls_over_under_load_without_a_cold_start_and_without_touching_a_job(tmp_path):
    pools = [pool(stopped=3, ready=1, max_machines=20)]
    async with open_world(tmp_path, pools=pools, **ROOM) as world:
        crew = await warm(world, ready=1, stopped=3)
        (long_job,) = await world.arrive("long")
        await world.plan()
        await crew.turn(finish=False)
        await crew.turn(finish=False)
        (at_work,) = [agent for agent in crew.agents.values() if getattr(agent, "busy", None)]
        assert at_work.busy.id == long_job.id
        image = f"registry.fly.io/runner:2@{DIGEST}"
        changed = world.settings.fly.model_copy(update={"image": image})
        world.control.settings = world.settings.model_copy(update={"fly": changed})

        crew.agents.pop(at_work.machine.id)
        queued = [long_job]
        for number in itertools.count():
            await world.turn(4.0)
            for machine in world.started():
                if machine.id != at_work.machine.id:
                    crew.agents.setdefault(machine.id, Agent(world, machine))
            crew.agents.pop(at_work.machine.id, None)
            await _turn_others(crew, at_work.machine.id)
            rows = [row for row in await world.machines() if row.fly_id != at_work.machine.id]
            spare = [row for row in rows if row.state in (MachineState.STOPPED, MachineState.READY)]
            if number % 4 == 0 and number < 12:
                queued += await world.arrive(f"job-{number}")
            if number > 12 and len(spare) == 4 == len(rows) and {row.image for row in rows} == {image}:
                break
            assert number < 60, "the spares never became new"
        assert at_work.machine.id in world.body.running
        assert await _states(world, queued[1:]) == {JobState.COMPLETED}
        ended = await world.events(reason=Reason.SPARE_OUTDATED)
        assert any("new ones are in place" in event.detail for event in ended if event.verb == "destroyed")


async def _turn_others(crew, but):
    """A turn of every agent but one, whose job goes on."""
    kept = crew.world.body.running.pop(but)
    try:
        await crew.turn()
    finally:
        crew.world.body.running[but] = kept


async def _states(world, jobs):
    return {(await world.job(job.id)).state for job in jobs}


@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [("cold", 1.0, 20.0), ("stopped", 0.2, 3.0), ("ready", 0.0, 0.0)],
)
async def test_from_webhook_to_claim_each_kind_of_warmth_is_as_fast_as_its_machine(
    tmp_path, kind, least, most
):
    """In the simulated world: Fly's latencies are the simulator's, those between are what the fleet adds."""
    kept = {} if kind == "cold" else {kind: 8}
    async with open_world(tmp_path, pools=[pool(max_machines=40, **kept)], **ROOM) as world:
        crew = await warm(world, **kept)
        waits = []
        for number in range(8):
            await world.arrive(f"job-{number}")
            asked, known = world.clock.now(), len(crew.claimed_at)
            await world.plan()
            while len(crew.claimed_at) == known:
                await crew.turn(finish=False)
                if len(crew.claimed_at) == known:
                    world.pass_time(0.05)
                assert world.clock.now() - asked < 60
            waits.append(round(world.clock.now() - asked, 2))
            world.pass_time(2)
        print(f"\nwebhook -> claim, {kind}: {sorted(waits)}")  # noqa: T201 - quoted in docs/architecture.md
        assert least <= min(waits)
        assert max(waits) <= most
