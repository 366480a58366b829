"""One job from its webhook to nothing left, in one process."""

from runners.model.states import JobState, RunnerState


async def test_a_queued_job_becomes_a_finished_job_and_nothing_is_left(world):
    agent = await world.booted("build")
    await agent.listen()
    job = await agent.begin()
    assert job is not None
    world.pass_time(4)
    await world.deliver()
    assert (await world.job(job.id)).state is JobState.IN_PROGRESS
    (runner,) = await world.runners()
    assert runner.state is RunnerState.BUSY
    assert runner.job_id == job.id
    await agent.finish(job)

    async def nothing_left():
        rows, machines, runners = await world.rows()
        return not rows and not machines and not runners

    await world.until(nothing_left)
    assert (await world.job(job.id)).conclusion == "success"
    assert world.github.registrations.all() == []
    assert world.fly.state()["machines"] == [] or all(
        machine["state"] == "destroyed" for machine in world.fly.state()["machines"]
    )
