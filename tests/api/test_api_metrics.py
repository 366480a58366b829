import asyncio
from dataclasses import replace

import pytest
from api_world import NOW, HandClock, World, payload, sign
from prometheus_client.parser import text_string_to_metric_families

from runners.api.metric_counters import PHASE_SECONDS
from runners.api.metric_names import PREFIX, SERIES, series
from runners.control.loop import LoopHealth
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import runners
from runners.upstream.breaker import BreakerState
from runners.upstream.errors import ErrorClass
from runners.upstream.record import CallRecord


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
    world.left = {"GITHUB_INSTALLATION_TOKEN_ACME": 1234.5}
    await world.plan()
    world.clock.at += 10
    samples = await scrape(world)
    assert of(samples, "queue_jobs", pool="gha-small", state="queued") == 5
    assert of(samples, "queue_oldest_seconds", pool="gha-small") == 49
    assert of(samples, "machines", pool="gha-small", state="bound") == 1
    assert of(samples, "runners", pool="gha-small", state="idle") == 1
    assert of(samples, "machines_max", pool="gha-small") == 2
    assert of(samples, "upstream_blocked_seconds", upstream="fly:app-a") == 50
    assert of(samples, "credential_left_seconds", credential="GITHUB_INSTALLATION_TOKEN_ACME") == 1234.5
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
        stem = (
            name.removesuffix("_created").removesuffix("_bucket").removesuffix("_count").removesuffix("_sum")
        )
        assert name in known or stem in known
    assert all(each.help.endswith(".") for each in SERIES.values())
    assert all((each.kind == "counter") is name.endswith("_total") for name, each in SERIES.items())


async def test_refused_webhooks_are_counted_each_by_reason_however_many_there_are(world):
    await world.deliver(payload(1))
    for _ in range(3):
        answer = await world.deliver(payload(2), **{"x-hub-signature-256": sign(b"other")})
        assert answer.status_code == 401
    await world.deliver(payload(3), **{"x-hub-signature-256": None})
    samples = await scrape(world)
    assert of(samples, "webhook_refusals_total", reason="signature_wrong") == 3
    assert of(samples, "webhook_refusals_total", reason="signature_missing") == 1
    assert of(samples, "webhooks_total", reason="demand") == 1


async def test_a_delivery_that_no_secret_can_check_counts_as_refused(world):
    world.secrets.clear()
    assert (await world.deliver(payload(1))).status_code == 503
    assert of(await scrape(world), "webhook_refusals_total", reason="credential_missing") == 1


async def test_what_operators_do_and_are_denied_is_counted_and_names_no_token(world):
    operator = world.connect(authorization=f"Bearer {await world.token('operate')}")
    for verb in ("drain", "drain", "undrain"):
        assert (await operator.post(f"/v1/pools/gha-small/{verb}", json={})).status_code == 200
    reader = await world.reader()
    assert (await reader.post("/v1/fleet/pause", json={})).status_code == 403
    samples = await scrape(world)
    assert of(samples, "operator_actions_total", verb="drained") == 1
    assert of(samples, "operator_actions_total", verb="undrained") == 1
    assert of(samples, "operator_actions_total", verb="denied") == 1
    assert of(samples, "events_total", actor="operator", verb="drained", reason="operator_request") == 1
    assert not any("token:" in value for _, labels in samples for _, value in labels)


async def test_upstream_calls_breakers_and_budgets_are_shown_by_upstream(world):
    await world.plan()
    calls = world.meters.calls
    for status, error_class in (
        (200, None),
        (200, None),
        (503, ErrorClass.TRY_LATER),
        (None, ErrorClass.TRY_LATER),
    ):
        calls(
            CallRecord("fly", "fly:app-a", "POST", "/v1/apps/{app}/machines", status, error_class, NOW, 0.2)
        )
    calls(CallRecord("github", "github:acme", "GET", "/x", 403, ErrorClass.TRY_LATER, NOW, 3.0, NOW + 60))
    world.meters = replace(
        world.meters, breakers=lambda: {"fly:app-a": BreakerState.OPEN, "infisical": BreakerState.CLOSED},
        quota=lambda owner: 0.25 if owner == "acme" else None,
    )  # fmt: skip
    samples = await scrape(world)
    create = {"upstream": "fly:app-a", "operation": "POST /v1/apps/{app}/machines"}
    assert of(samples, "upstream_calls_total", outcome="ok", **create) == 2
    assert of(samples, "upstream_calls_total", outcome="try_later", **create) == 1
    assert of(samples, "upstream_calls_total", outcome="lost", **create) == 1
    assert (
        of(
            samples,
            "upstream_calls_total",
            upstream="github:acme",
            operation="GET /x",
            outcome="rate_limited",
        )
        == 1
    )
    assert of(samples, "upstream_seconds_bucket", upstream="fly", le="0.25") == 4
    assert of(samples, "upstream_seconds_sum", upstream="github") == 3
    assert of(samples, "breaker_state", upstream="fly:app-a", state="open") == 1
    assert of(samples, "breaker_state", upstream="fly:app-a", state="closed") == 0
    assert of(samples, "requests_left_ratio", owner="acme") == 0.25
    assert of(samples, "creates_left", app="app-a") == 3
    limited = await scrape(world, pools=("gha-medium",))
    shown = {dict(labels).get("upstream") for _, labels in limited} - {None}
    assert shown == {"fly:app-b", "github:acme"}


async def test_waste_is_shown_apart_from_what_jobs_cost(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, online_at=NOW - 35, busy_at=NOW - 30, job_id=1)
    await world.add_job(1, state=JobState.IN_PROGRESS)
    samples = await scrape(world)
    cents = {
        kind: of(samples, "cost_today_usd", pool="gha-small", spent_on=kind)
        for kind in ("busy", "boot", "idle")
    }
    assert cents == pytest.approx({"busy": 30 / 3600 * 0.6, "boot": 10 / 3600 * 0.6, "idle": 5 / 3600 * 0.6})


async def test_two_scrapes_at_once_count_what_has_gone_once(open_world):
    world = await open_world()
    await run_one(world, 1)
    reader = await world.reader()
    await asyncio.gather(*(reader.get("/metrics") for _ in range(4)))
    samples = await scrape(world)
    assert of(samples, "phase_seconds_count", pool="gha-small", phase="gone") == 1
    assert of(samples, "events_total", actor="webhook", verb="accepted", reason="demand") == 1


async def test_refusals_are_zero_before_the_first_one_and_a_loop_that_never_ran_lags(world):
    world.health.append(LoopHealth("runner-list", 30.0, failures=3))
    world.clock.at += 100
    samples = await scrape(world)
    assert of(samples, "webhook_refusals_total", reason="signature_wrong") == 0
    assert of(samples, "loop_lag_seconds", loop="runner-list") == 100
    assert of(samples, "loop_failures_total", loop="runner-list") == 3
