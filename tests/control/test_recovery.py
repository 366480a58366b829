"""Lost webhooks: the delivery log and the queue sweep find what never arrived, through the same handler."""

import pytest

from runners.control.deliveries import CURSOR, delivery_pass
from runners.control.queue_sweep import queue_sweep_pass
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import backup, deliveries, replacing
from runners.upstream.errors import UpstreamError
from tests.fleet_world import APP_ID, APP_KEY, open_world, pool, private_pem

LOG = "/app/hook/deliveries"


@pytest.fixture
async def app_world(tmp_path):
    """A fleet that holds the App's key, and so may read its delivery log."""
    async with open_world(tmp_path, github={"credentials": "app", "app_id": str(APP_ID)}) as world:
        world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(APP_KEY)
        await world.first_readings(world.fleet)
        yield world


async def catch_up(world):
    await delivery_pass(world.control, world.fleet._delivery)


async def sweep(world):
    await queue_sweep_pass(world.control, world.fleet._reading)


async def test_a_lost_queued_webhook_is_recovered_from_the_delivery_log(app_world):
    world = app_world
    world.github.faults.add("lose_webhook", action="queued")
    (job,) = await world.arrive("build")
    assert await world.job(job.id) is None
    await catch_up(world)
    row = await world.job(job.id)
    assert (row.state, row.pool) == (JobState.QUEUED, "gha-small")
    (event,) = await world.events(actor="delivery-catch-up")
    assert event.reason is Reason.RECOVERED_BY_DELIVERY_LOG
    await world.plan()
    world.pass_time(15)
    await world.agent().listen()


async def test_the_delivery_log_is_read_on_from_the_last_reading(app_world):
    world = app_world
    world.github.faults.add("lose_webhook", action="queued")
    await world.arrive("build")
    await catch_up(world)
    began = world.clock.now()
    fetched = world.net.count("GET", f"{LOG}/")
    assert fetched == 1
    cursor = await world.run(lambda conn: deliveries.cursor(conn, CURSOR))
    assert float(cursor) == began
    await catch_up(world)
    assert world.net.count("GET", f"{LOG}/") == fetched


async def test_deliveries_that_arrived_are_not_fetched(app_world):
    world = app_world
    await world.arrive("one", "two")
    await catch_up(world)
    assert world.net.count("GET", f"{LOG}/") == 0


async def test_what_only_the_replaced_database_had_taken_is_read_again_after_a_restore(app_world, tmp_path):
    world = app_world
    await world.arrive("before")
    await catch_up(world)
    database, copy = world.folder / "fleet.db", tmp_path / "copy"
    backup.make(database, copy, "test", world.clock.now())
    (since,) = await world.arrive("since")
    await world.fleet.stop()
    replacing.prepare(copy, database, "test")
    replacing.place(database, world.clock.now())
    world.fleet = world.make_fleet("restored")
    await world.first_readings(world.fleet)
    assert await world.job(since.id) is None
    await catch_up(world)
    assert (await world.job(since.id)).state is JobState.QUEUED
    fetched = world.net.count("GET", f"{LOG}/")
    assert fetched == 1
    await catch_up(world)
    assert world.net.count("GET", f"{LOG}/") == fetched


async def test_after_an_outage_nothing_boots_for_jobs_that_are_over(app_world):
    """The newest delivery is taken first: a job's end before its beginning."""
    world = app_world
    world.github.faults.add("lose_webhook", times=100)
    jobs = world.queue("one", "two", "three")
    world.pass_time(10)
    for job in jobs:
        world.github.queue.cancel(job.id)
    world.pass_time(10)
    planner = world.fleet._loop("planner")
    seen = []

    async def intake(guid, event, payload):
        await world.fleet._delivery(guid, event, payload)
        if planner._woken.is_set():
            planner._woken.clear()
            await world.plan()
        seen.append(payload["action"])

    await delivery_pass(world.control, intake)
    assert seen == ["completed"] * 3 + ["queued"] * 3
    assert [(await world.job(job.id)).state for job in jobs] == [JobState.COMPLETED] * 3
    assert world.net.count("POST", "/machines$") == 0


async def test_one_delivery_that_cannot_be_read_does_not_hide_the_others(app_world):
    world = app_world
    world.github.faults.add("lose_webhook", times=3, action="queued")
    jobs = await world.arrive("one", "two", "three")
    broken = world.net.rule("answer", "GET", f"{LOG}/", status=500, times=1)
    with pytest.raises(UpstreamError):
        await catch_up(world)
    assert broken.met == 1
    found = [job.id for job in jobs if await world.job(job.id) is not None]
    assert len(found) == 2
    assert await world.run(lambda conn: deliveries.cursor(conn, CURSOR)) is None
    await catch_up(world)
    assert all([await world.job(job.id) for job in jobs])


async def test_a_delivery_that_github_no_longer_has_does_not_hold_the_cursor(app_world):
    world = app_world
    world.github.faults.add("lose_webhook", times=2, action="queued")
    jobs = await world.arrive("one", "two")
    world.net.rule("answer", "GET", rf"{LOG}/\d+$", times=1, status=404, body={"message": "Not Found"})
    await catch_up(world)
    assert float(await world.run(lambda conn: deliveries.cursor(conn, CURSOR))) == world.clock.now()
    found = [job for job in jobs if await world.job(job.id) is not None]
    assert len(found) == 1


async def test_a_malformed_delivery_is_said_and_dropped(app_world, capsys):
    world = app_world
    world.github.faults.add("lose_webhook", action="queued")
    await world.arrive("build")
    body = {"request": {"headers": {}, "payload": {"action": "queued", "workflow_job": None}}}
    world.net.rule("answer", "GET", f"{LOG}/", status=200, body=body)
    await catch_up(world)
    assert "delivery.malformed" in capsys.readouterr().out


async def test_without_the_app_key_the_log_is_closed_and_that_is_no_failure(world):
    await catch_up(world)
    assert world.net.count("GET", LOG) == 0


async def test_a_delivery_of_a_repository_that_is_not_allowed_boots_nothing(tmp_path):
    changes = {"credentials": "app", "app_id": str(APP_ID), "repositories": ["acme/api"]}
    async with open_world(tmp_path, github=changes) as world:
        world.environ["GITHUB_APP_PRIVATE_KEY"] = private_pem(APP_KEY)
        await world.first_readings(world.fleet)
        world.github.faults.add("lose_webhook", action="queued")
        (job,) = await world.arrive("build")
        await catch_up(world)
        await world.plan()
        assert (await world.job(job.id)).refused is Reason.REPOSITORY_NOT_ALLOWED
        assert await world.machines() == ()


@pytest.fixture
async def known_world(world):
    """A fleet that has seen a job of acme/web, so that it sweeps the repository."""
    (first,) = await world.arrive("first")
    world.github.queue.cancel(first.id)
    world.pass_time(4)
    await world.deliver()
    assert (await world.job(first.id)).state is JobState.COMPLETED
    return world


async def test_a_queued_webhook_that_never_became_a_delivery_is_found_by_the_sweep(known_world):
    world = known_world
    world.github.faults.add("drop_webhook", action="queued")
    (job,) = await world.arrive("build")
    assert await world.job(job.id) is None
    await sweep(world)
    row = await world.job(job.id)
    assert (row.state, row.pool, row.private, row.refused) == (JobState.QUEUED, "gha-small", True, None)
    found = await world.events(target=f"job/{job.id}", actor="queue-sweep")
    assert [event.reason for event in found] == [Reason.RECOVERED_BY_SWEEP]
    await world.plan()
    world.pass_time(15)
    agent = world.agent()
    await agent.listen()
    assert (await agent.begin()).id == job.id


async def test_a_completed_webhook_that_never_came_is_found_by_the_sweep(known_world):
    world = known_world
    world.github.faults.add("drop_webhook", action="completed")
    (job,) = await world.arrive("build")
    await world.plan()
    world.pass_time(15)
    agent = world.agent()
    await agent.listen()
    await agent.begin()
    world.pass_time(4)
    await world.deliver()
    await agent.finish(job)
    world.pass_time(world.settings.timing.queue_sweep_period)
    await world.deliver()
    assert (await world.job(job.id)).state is JobState.IN_PROGRESS
    await sweep(world)
    row = await world.job(job.id)
    assert (row.state, row.conclusion, row.refused) == (JobState.COMPLETED, "success", None)
    assert row.private is True
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.JOB_COMPLETED)


async def test_a_job_cancelled_unheard_is_found_and_boots_nothing_more(known_world):
    world = known_world
    world.github.faults.add("drop_webhook", action="completed")
    (job,) = await world.arrive("build")
    world.github.queue.cancel(job.id)
    world.pass_time(world.settings.timing.queue_sweep_period + 1)
    await sweep(world)
    assert (await world.job(job.id)).conclusion == "cancelled"
    assert (await world.job(job.id)).refused is None


async def test_a_public_repositorys_job_found_by_the_sweep_is_refused_as_its_webhook_would_be(tmp_path):
    async with open_world(tmp_path, github={"repositories": ["acme/site", "acme/web"]}) as world:
        world.github.faults.add("drop_webhook", times=2, action="queued")
        (public,) = world.queue("build", repository="acme/site")
        (private,) = world.queue("build", repository="acme/web")
        world.pass_time(4)
        await sweep(world)
        assert (await world.job(public.id)).refused is Reason.PUBLIC_REPOSITORY
        assert (await world.job(private.id)).refused is None


async def test_an_allowed_public_job_stays_allowed_when_the_sweep_reads_it_alone(tmp_path):
    pools = [pool(allow_public=True)]
    async with open_world(tmp_path, pools=pools, github={"repositories": ["acme/site"]}) as world:
        (job,) = await world.arrive("build", repository="acme/site")
        world.github.faults.add("drop_webhook", action="completed")
        world.github.queue.cancel(job.id)
        world.pass_time(world.settings.timing.queue_sweep_period + 1)
        await sweep(world)
        row = await world.job(job.id)
        assert (row.state, row.refused, row.private) == (JobState.COMPLETED, None, False)


async def test_a_named_repository_is_swept_before_its_first_job_was_ever_heard_of(tmp_path):
    async with open_world(tmp_path, pools=[pool(scope="repos/acme/api")]) as world:
        world.github.faults.add("drop_webhook", times=10)
        (job,) = world.queue("build", repository="acme/api")
        world.pass_time(4)
        await sweep(world)
        assert (await world.job(job.id)).state is JobState.QUEUED


async def test_a_sweep_does_not_ask_for_one_repository_twice_because_of_its_spelling(tmp_path):
    async with open_world(tmp_path, github={"repositories": ["Acme/Web"]}) as world:
        await world.arrive("build")
        await sweep(world)
        assert world.net.count("GET", r"(?i)/repos/acme/web/actions/runs$") == 2


async def test_a_sweeping_fleet_gives_way_when_the_quota_is_short(known_world):
    world = known_world
    control = world.control
    for quota, sweeps in ((0.05, 0), (0.3, 1), (0.9, 2)):
        control.quota = lambda _owner, quota=quota: quota
        control.sweeps = 0
        before = world.net.count("GET", "/actions/runs$")
        await sweep(world)
        await sweep(world)
        assert (world.net.count("GET", "/actions/runs$") - before) / 2 == sweeps


async def test_one_repositorys_failure_does_not_hide_the_others(tmp_path):
    async with open_world(tmp_path, github={"repositories": ["acme/api", "acme/web"]}) as world:
        world.github.faults.add("drop_webhook", times=10)
        (job,) = world.queue("build", repository="acme/web")
        world.pass_time(4)
        world.net.rule("answer", "GET", "/repos/acme/api/actions/runs$", status=500)
        with pytest.raises(UpstreamError, match="acme/api"):
            await sweep(world)
        assert (await world.job(job.id)).state is JobState.QUEUED


async def test_a_reading_never_moves_a_newer_row_back(known_world):
    """The webhook came while the sweep's answer was on its way."""
    world = known_world
    (job,) = await world.arrive("build")
    (fact,) = await world.control.github.jobs_of_run("acme/web", job.run.id, private=True)
    read_at = world.clock.now()
    world.pass_time(1)
    await world.plan()
    world.pass_time(15)
    agent = world.agent()
    await agent.listen()
    await agent.begin()
    world.pass_time(4)
    await world.deliver()
    await world.fleet._reading(fact, read_at)
    assert (await world.job(job.id)).state is JobState.IN_PROGRESS


async def test_a_sweep_knows_what_github_last_said_of_the_quota(known_world):
    world = known_world
    await sweep(world)
    assert world.control.quota("acme") == pytest.approx(1.0, abs=0.05)
    assert world.control.quota("somebody-else") is None
