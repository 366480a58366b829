"""An older database is restored while Machines run: no leak, no job killed, nothing given twice."""

import pytest

from runners.control.queue_sweep import queue_sweep_pass
from runners.model.states import MachineState
from runners.store import backup, replacing
from simulator.github.courier import Bell, Courier
from tests.fleet_world import Agent, open_world, pool


async def restore(world, copy):
    """What an operator does: stop, restore, start."""
    await world.http.aclose()
    await world.fleet.stop()
    database = world.folder / "fleet.db"
    replacing.prepare(copy, database, "test")
    done = replacing.place(database, world.clock.now())
    world.fleet = world.make_fleet("restored")
    world.http = world.connect()
    world.courier = Courier(world.github.webhooks, world.clock, Bell(), world.http)
    await world.open()
    return done


async def turn(world, agents, done, step, *, hold=()):
    """Some seconds: lists, plans, and every agent's next step; jobs named in ``hold`` go on running."""
    world.pass_time(step)
    await world.deliver()
    await world.read_lists()
    await world.plan(2)
    for machine in world.started():
        agent = agents.setdefault(machine.id, Agent(world, machine))
        if agent.session is None:
            claimed = await agent.claim()
            if claimed.status_code == 200:
                await agent.listen()
            elif claimed.status_code in (403, 410):
                agent.leave(21)
        elif agent.job is not None:
            world.github.sessions.renew(agent.session.id, agent.job.id)
            if agent.job.name not in hold:
                await agent.finish(agent.job)
                done.append(agent.job.name)
        elif not any(each.name == agent.runner for each in world.github.registrations.all()):
            agent.leave(0)
        else:
            agent.job = await agent.begin()


async def turns(world, agents, done, seconds, *, step=15.0, hold=()):
    for _ in range(int(seconds // step)):
        await turn(world, agents, done, step, hold=hold)


async def sweep_queue(world):
    async def reading(fact, read_at):
        await world.fleet.intake.handle_reading(fact, read_at)

    await queue_sweep_pass(world.control, reading)


def running(world, agents):
    """By job name, the Machine that runs it."""
    return {
        agent.job.name: agent.machine
        for agent in agents.values()
        if agent.job is not None and agent.machine.id in world.body.running
    }


@pytest.mark.parametrize("registration", ["jit", "token"])
async def test_after_an_older_database_is_restored_the_fleet_converges_and_harms_no_job(
    tmp_path, registration, monkeypatch
):
    monkeypatch.setattr(Agent, "job", None, raising=False)
    pools = [pool(max_machines=12, ready=1, stopped=1, registration=registration)]
    async with open_world(tmp_path, pools=pools) as world:
        agents, done = {}, []
        hold = {"known", "handed-out", "by-ready-spare", "by-stopped-spare", "created-since"}
        await world.arrive("known", "over-since")
        await turns(world, agents, done, 60, hold={*hold, "over-since"})
        # Its Machine boots with a registration sealed for it, when the copy is made.
        await world.arrive("handed-out")
        await world.plan(2)
        copy = tmp_path / "copy"
        made = backup.make(world.folder / "fleet.db", copy, "test", world.clock.now())
        before = {row.name: row.state for row in await world.machines()}
        assert {MachineState.BOUND, MachineState.STOPPED} <= set(before.values())
        assert made.fleet == "test"

        await turns(world, agents, done, 60, hold=hold)
        await world.arrive("by-ready-spare", "by-stopped-spare", "created-since")
        await turns(world, agents, done, 90, hold=hold)
        assert set(running(world, agents)) == hold
        assert done == ["over-since"]
        at_work = running(world, agents)
        assert {name for name, machine in at_work.items() if machine.name not in before}

        replaced = await restore(world, copy)
        assert replaced.taken.machines > 0
        # Nobody is given what may have been given before, not even to the Machine that had it.
        for agent in list(agents.values()):
            if agent.machine.id in world.body.running:
                again = await agent.claim(nonce="another-nonce".ljust(43, "y"))
                assert again.status_code in (204, 401, 403, 410), again.text

        # Past every deadline that could end one of them, while every job goes on.
        for _ in range(4):
            await turns(world, agents, done, 120, hold=hold)
            await sweep_queue(world)
            assert {name: machine.id for name, machine in running(world, agents).items()} == {
                name: machine.id for name, machine in at_work.items()
            }
        # New work is served, and the spares are there again.
        await world.arrive("after")
        await turns(world, agents, done, 120, hold=hold)
        assert "after" in done

        for _ in range(3):
            await turns(world, agents, done, 120)
            await sweep_queue(world)
        assert sorted(done) == sorted({*hold, "over-since", "after"})
        jobs, machines, runners = await world.rows()
        assert jobs == ()
        assert runners == ()
        live = {each["name"] for each in world.fly.state()["machines"] if each["state"] != "destroyed"}
        assert live == {row.name for row in machines}
        assert sorted(row.state for row in machines) == [MachineState.READY, MachineState.STOPPED]
        assert world.github.registrations.all() == []
