"""Many jobs through the whole fleet: nothing over a cap, nothing lost, nothing left."""

import pytest

from runners.model.states import JobState
from tests.fleet_world import Agent, open_world, pool


async def serve(world, agents, done):
    """Let every booted Machine's agent take the next step of its life; count what each job got."""
    for machine in world.started():
        agent = agents.setdefault(machine.id, Agent(world, machine))
        if agent.session is None:
            claimed = await agent.claim()
            if claimed.status_code == 200:
                await agent.listen()
            elif claimed.status_code in (403, 410):
                agent.leave(24)
            continue
        if not any(r.name == agent.runner for r in world.github.registrations.all()):
            agent.leave(0)
            continue
        job = await agent.begin()
        if job is not None:
            await agent.finish(job)
            done.append(job.id)


async def drive(world, jobs, at_most=150):
    """Turn after turn until every job is over and nothing is left."""
    agents, done = {}, []
    for _ in range(at_most):
        world.pass_time(3)
        await world.deliver()
        await world.read_lists()
        await world.plan(2)
        await serve(world, agents, done)
        live = [machine for machine in world.fly.state()["machines"] if machine["state"] != "destroyed"]
        assert len(live) <= world.settings.fleet.max_machines
        rows = [await world.job(job.id) for job in jobs]
        over = all(row is not None and row.state is JobState.COMPLETED for row in rows)
        if over and not any(await world.rows()) and not live and not world.github.registrations.all():
            return done
    raise AssertionError("something is left over")


async def test_a_burst_over_a_small_cap_is_served_to_the_last_job(tmp_path):
    pools = [pool(max_machines=3, apps=["app-a", "app-b"])]
    async with open_world(tmp_path, pools=pools) as world:
        jobs = await world.arrive(*(f"job-{number}" for number in range(10)))
        done = await drive(world, jobs)
        assert sorted(done) == sorted(job.id for job in jobs)
        highest = max(entry["live"] for entry in world.fly.journal.of("machine_created"))
        assert highest <= 3


@pytest.mark.parametrize("registration", ["jit", "token"])
async def test_a_burst_with_every_kind_of_trouble_ends_clean(tmp_path, registration):
    pools = [pool(max_machines=6, apps=["app-a", "app-b"], registration=registration)]
    async with open_world(tmp_path, pools=pools, timing={"boot_deadline": 60}) as world:
        world.fly.faults.add("never_boots")
        world.fly.faults.add("no_capacity", times=2, region="iad")
        world.net.rule("lose", "POST", "/machines$", times=1)
        world.net.rule("lose", "POST", "/generate-jitconfig$", times=1)
        world.github.faults.add("double_webhook", times=2)
        jobs = await world.arrive(*(f"job-{number}" for number in range(8)))
        world.github.queue.cancel(jobs[3].id)
        done = await drive(world, jobs)
        assert sorted(done) == sorted(job.id for job in jobs if job is not jobs[3])
        assert world.fly.faults.unfired() == ()
