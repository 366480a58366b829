from api_world import NOW, HandClock, World, payload
from prometheus_client.parser import text_string_to_metric_families

from runners.api.metrics import GAUGES, PHASE_SECONDS, PREFIX, series
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.store import runners


async def scrape(world, **limits):
    answer = await (await world.reader(**limits)).get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def of(samples, name, **labels):
    return samples[PREFIX + name, tuple(sorted(labels.items()))]


async def run_one(world, number):
    name = f"r-{number}"
    await world.add_runner(name, online_at=world.clock.now() - 30)
    await world.deliver(payload(number))
    await world.deliver(payload(number, "in_progress", runner_name=name))
    world.clock.at += 20
    await world.deliver(payload(number, "completed", runner_name=name, conclusion="success"))
    world.clock.at += 4
    gone = {"at": world.clock.now(), "actor": "planner", "reason": Reason.JOB_COMPLETED}
    await world.store.run(lambda conn: runners.move(conn, name, RunnerState.GONE, **gone))


async def test_queue_supply_caps_and_what_is_held_are_gauges(world):
    for number in range(1, 6):
        await world.add_job(number, queued_at=NOW - 40 + number)
    await world.add_runner("r-1")
    world.blocked_until = {"fly:app-a": NOW + 60}
    await world.plan()
    world.clock.at += 10
    samples = await scrape(world)
    assert of(samples, "queue_jobs", pool="gha-small", state="queued") == 5
    assert of(samples, "queue_oldest_seconds", pool="gha-small") == 49
    assert of(samples, "machines", pool="gha-small", state="bound") == 1
    assert of(samples, "runners", pool="gha-small", state="idle") == 1
    assert of(samples, "machines_max", pool="gha-small") == 2
    assert of(samples, "upstream_blocked_seconds", upstream="fly:app-a") == 50
    assert of(samples, "plan_age_seconds") == 10
    assert of(samples, "spent_today_usd", pool="gha-small") == 1.5
    held = {key[1]: value for key, value in samples.items() if key[0] == f"{PREFIX}held"}
    assert list(held.values()) == [3]


async def test_phases_are_counted_once_from_their_stored_times(world):
    for number in (1, 2):
        await run_one(world, number)
        first = await scrape(world)
    again = await scrape(world)
    for samples in (first, again):
        assert of(samples, "phase_seconds_count", pool="gha-small", phase="completed") == 2
        assert of(samples, "phase_seconds_sum", pool="gha-small", phase="completed") == 40
        assert of(samples, "phase_seconds_sum", pool="gha-small", phase="gone") == 8


async def test_a_restart_counts_from_zero(open_world):
    world = await open_world()
    await run_one(world, 1)
    world.clock.at += 1
    again = World(world.store, world.settings, HandClock(world.clock.at))
    again.made = 500
    assert not any(name.startswith(PHASE_SECONDS) for name, _ in await scrape(again))
    await run_one(again, 2)
    assert of(await scrape(again), "phase_seconds_count", pool="gha-small", phase="gone") == 1


async def test_a_pool_limit_hides_other_pools_histograms_and_gauges(world):
    await run_one(world, 1)
    samples = await scrape(world, pools=("globex-pool",))
    assert {dict(labels)["pool"] for _, labels in samples if "pool" in dict(labels)} == {"globex-pool"}
    assert not any(name == f"{PREFIX}streams" for name, _ in samples)


async def test_every_series_has_a_name_a_help_and_our_prefix(world):
    await run_one(world, 1)
    names = {name for name, _ in await scrape(world)}
    known = set(series())
    for name in names:
        assert name in known or name.startswith(PHASE_SECONDS)
    assert all(text.endswith(".") for text, _ in GAUGES.values())
