"""Facts arrive late, twice, out of order or never: what the store holds must come out right all the same."""

import json
from itertools import permutations
from pathlib import Path

import pytest
from api_world import NOW, payload

from runners.api.acceptance import Source
from runners.api.intake import Delivery
from runners.github.payload import read_workflow_job
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import jobs, pools

RECORDED = sorted((Path(__file__).parents[1] / "data/webhooks/workflow_job").glob("*.json"))
OURS = {"runner_name": "r-1", "runner_id": 5}
WAY = {
    "queued": payload(1),
    "in_progress": payload(1, "in_progress", **OURS),
    "completed": payload(1, "completed", conclusion="success", **OURS),
}


async def read(world, body, at=None):
    fact = read_workflow_job(body)
    return await world.intake.handle_reading(fact, world.clock.now() if at is None else at)


async def test_a_queued_job_is_stored_charged_to_its_pool_and_wakes_the_planner(world):
    answer = (await world.deliver(payload(1))).json()
    assert (answer["accepted"], answer["reason"], answer["pool"]) == (True, "demand", "gha-small")
    job = await world.job(1)
    assert (job.state, job.pool, job.queued_at) == (JobState.QUEUED, "gha-small", NOW)
    assert world.woken == 1
    assert [(event.verb, event.target, event.actor) for event in await world.events()] == [
        ("accepted", "job/1", "webhook")
    ]


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
async def test_every_recorded_payload_passes_the_real_endpoint(world, recorded):
    answer = await world.deliver(recorded.read_bytes())
    assert answer.status_code == 202
    assert answer.json()["accepted"] is False  # of other people's repositories
    assert world.woken == 0


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda path: path.stem)
async def test_every_recorded_payload_is_taken_where_its_labels_and_repository_are_served(
    open_world, recorded
):
    body = json.loads(recorded.read_text())
    owner = body["repository"]["full_name"].partition("/")[0]
    pool = {
        "name": "gha-small", "scope": f"orgs/{owner}", "apps": ["a"], "allow_public": True,
        "labels": body["workflow_job"]["labels"],
    }  # fmt: skip
    world = await open_world(github={"organizations": [owner]}, pools=[pool])
    answer = (await world.deliver(recorded.read_bytes())).json()
    assert answer["accepted"] is True
    assert answer["state"] == body["workflow_job"]["status"]


async def test_action_queued_with_status_waiting_waits(world):
    answer = (await world.deliver(payload(1, "waiting", action="queued"))).json()
    assert (answer["state"], answer["reason"]) == ("waiting", "awaiting_approval")
    assert (await world.job(1)).queued_at is None


async def test_a_job_that_waited_is_charged_anew_when_it_is_queued(world):
    await world.deliver(payload(1, "waiting"))
    world.clock.at += 3600
    await world.deliver(payload(1))
    assert (await world.job(1)).queued_at == NOW + 3600


@pytest.mark.parametrize("order", list(permutations(WAY)))
async def test_in_whatever_order_its_events_come_a_job_ends_completed_and_its_runner_retires(world, order):
    await world.add_runner("r-1")
    for status in order:
        assert (await world.deliver(WAY[status])).status_code == 202
    job = await world.job(1)
    assert (job.state, job.conclusion, job.runner_name) == (JobState.COMPLETED, "success", "r-1")
    runner = await world.runner("r-1")
    assert (runner.state, runner.reason) == (RunnerState.RETIRING, Reason.JOB_COMPLETED)
    assert (runner.job_id, runner.finished_at) == (1, NOW)


async def test_a_doubled_delivery_changes_nothing_the_second_time(world):
    await world.deliver(payload(1), guid="12345678-aaaa")
    before = await world.events()
    again = await world.deliver(payload(1), guid="12345678-aaaa")
    assert (again.status_code, again.json()["reason"]) == (202, "already_known")
    assert await world.events() == before
    assert world.woken == 1


async def test_the_same_fact_under_another_guid_changes_nothing_either(world):
    await world.deliver(payload(1))
    again = (await world.deliver(payload(1))).json()
    assert (again["accepted"], again["reason"]) == (True, "already_known")
    assert len(await world.events()) == 1


async def test_a_delivery_without_a_guid_is_told_apart_by_its_body(world):
    for _ in range(2):
        await world.deliver(payload(1), guid="; DROP TABLE")
    assert (await world.deliver(payload(1), guid="\u00e9".encode())).json()["reason"] == "already_known"


async def test_completed_for_an_unknown_job_of_ours_is_kept_so_that_a_late_queued_boots_nothing(world):
    await world.deliver(payload(1, "completed", conclusion="cancelled"))
    await world.deliver(payload(1))
    assert (await world.job(1)).state is JobState.COMPLETED


async def test_completed_for_an_unknown_job_of_others_is_harmless(world):
    answer = await world.deliver(payload(1, "completed", labels=["fly-gha-huge"]))
    assert answer.json()["accepted"] is False
    assert await world.job(1) is None


async def test_in_progress_makes_the_named_runner_busy(world):
    await world.add_runner("r-1")
    await world.deliver(payload(1))
    await world.deliver(WAY["in_progress"])
    runner = await world.runner("r-1")
    assert (runner.state, runner.job_id, runner.busy_at) == (RunnerState.BUSY, 1, NOW)


async def test_a_retiring_runner_that_got_a_job_is_busy_again(world):
    await world.add_runner("r-1", state=RunnerState.RETIRING)
    await world.deliver(WAY["in_progress"])
    assert (await world.runner("r-1")).state is RunnerState.BUSY


async def test_a_runner_that_its_hook_made_busy_learns_its_job(world):
    await world.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 5)
    await world.deliver(WAY["in_progress"])
    runner = await world.runner("r-1")
    assert (runner.job_id, runner.busy_at) == (1, NOW - 5)


async def test_a_runner_of_the_same_name_in_another_account_is_not_ours(world):
    await world.add_runner("r-1")
    for status in ("in_progress", "completed"):
        body = payload(2, status, repository="globex/api", labels=["globex"], **OURS)
        assert (await world.deliver(body)).json()["accepted"] is True
    assert (await world.runner("r-1")).state is RunnerState.IDLE


async def test_a_queued_payload_that_names_a_runner_tells_it_nothing(world):
    await world.add_runner("r-1")
    await world.deliver(payload(1, **OURS))
    assert (await world.runner("r-1")).state is RunnerState.IDLE


async def test_a_job_that_asked_for_a_group_only_and_got_our_runner_is_known_by_it(world):
    await world.add_runner("r-1")
    answer = (await world.deliver(payload(1, "in_progress", labels=[], **OURS))).json()
    assert (answer["accepted"], answer["pool"]) == (True, "gha-small")
    assert (await world.runner("r-1")).job_id == 1


async def test_a_job_cancelled_while_queued_frees_demand_and_touches_no_runner(world):
    await world.add_runner("r-1")
    await world.deliver(payload(1))
    await world.deliver(payload(1, "completed", conclusion="cancelled"))
    assert (await world.job(1)).conclusion == "cancelled"
    assert (await world.runner("r-1")).state is RunnerState.IDLE
    assert world.woken == 2


async def test_a_webhook_never_moves_a_job_back(world):
    await world.deliver(payload(1, "in_progress"))
    answer = (await world.deliver(payload(1))).json()
    assert (answer["reason"], answer["state"]) == ("already_known", "in_progress")


async def test_a_rest_reading_may_move_a_job_back_with_an_event(world):
    await world.deliver(payload(1))
    await world.deliver(payload(1, "in_progress", **OURS))
    world.clock.at += 60
    outcome = await read(world, payload(1))
    assert (outcome.state, outcome.why.reason) == (JobState.QUEUED, Reason.MOVED_BACK_BY_REST)
    job = await world.job(1)
    assert (job.in_progress_at, job.runner_name) == (None, None)
    assert (await world.events())[-1].actor == "queue-sweep"


async def test_a_rest_reading_older_than_our_row_moves_nothing_back(world):
    await world.deliver(payload(1))
    asked_at = world.clock.now()
    world.clock.at += 1
    await world.deliver(payload(1, "in_progress"))
    outcome = await read(world, payload(1), at=asked_at)
    assert outcome.state is JobState.IN_PROGRESS


async def test_completed_is_final_even_for_a_rest_reading(world):
    await world.deliver(payload(1, "completed", conclusion="success"))
    world.clock.at += 60
    assert (await read(world, payload(1, "in_progress"))).state is JobState.COMPLETED


async def test_the_sweep_finds_a_job_whose_webhook_was_lost_without_naming_an_installation(open_world):
    world = await open_world(github={"installations": [7]})
    body = payload(1)
    del body["installation"]
    outcome = await read(world, body)
    assert (outcome.accepted, outcome.why.reason) == (True, Reason.RECOVERED_BY_SWEEP)
    assert world.woken == 1


async def test_a_recovered_fact_brings_githubs_own_time(world):
    await world.deliver(payload(1))
    world.clock.at += 600
    done = payload(1, "completed", conclusion="success", completed_at="2026-11-18T11:07:00Z")
    await read(world, done)
    job = await world.job(1)
    assert job.accepted_at < job.completed_at < NOW + 600


async def test_the_catch_up_takes_a_delivery_from_the_log_without_http(world):
    delivery = Delivery("aaaaaaaa-1111", "workflow_job", payload(1))
    outcome = await world.intake.handle_delivery(delivery, Source.DELIVERY_LOG)
    assert (outcome.accepted, outcome.why.reason) == (True, Reason.RECOVERED_BY_DELIVERY_LOG)
    assert (await world.events())[0].actor == "delivery-catch-up"
    late = await world.deliver(payload(1), guid="aaaaaaaa-1111")
    assert late.json()["reason"] == "already_known"


async def test_a_drained_pools_job_goes_to_its_fallback(open_world):
    listed = [
        {"name": "first", "scope": "orgs/acme", "apps": ["a"], "labels": ["x"], "fallback": "second"},
        {"name": "second", "scope": "orgs/acme", "apps": ["a"], "labels": ["x", "y"]},
    ]
    world = await open_world(pools=listed)
    await world.deliver(payload(1, labels=["x"]))
    await world.store.run(lambda conn: pools.set_override(conn, "first", drained=True))
    await world.deliver(payload(2, labels=["x"]))
    assert [(await world.job(each)).pool for each in (1, 2)] == ["first", "second"]


async def test_changed_settings_take_in_a_job_that_waits_refused(open_world):
    world = await open_world(github={"repositories": ["acme/web", "globex/*"]})
    await world.deliver(payload(1))
    assert (await world.job(1)).refused is Reason.REPOSITORY_NOT_ALLOWED
    later = await open_world()
    later.intake._store = world.store
    outcome = await read(later, payload(1))
    job = await world.job(1)
    assert (outcome.accepted, job.refused, job.pool) == (True, None, "gha-small")


async def test_a_refused_job_that_runs_elsewhere_stays_refused_to_its_end(world):
    await world.deliver(payload(1, labels=["fly-gha-huge"]))
    for status in ("in_progress", "completed"):
        answer = (await world.deliver(payload(1, status, labels=["fly-gha-huge"]))).json()
        assert (answer["accepted"], answer["state"], answer["pool"]) == (False, status, None)


async def test_a_crash_between_nothing_and_everything_leaves_nothing_half_done(world, monkeypatch):
    await world.add_runner("r-1")
    await world.deliver(payload(1))
    before = await world.events()

    def dies(*_, **__):
        raise RuntimeError("the process ends here")

    monkeypatch.setattr("runners.api.intake.deliveries.record", dies)
    answer = await world.deliver(WAY["in_progress"])
    assert (answer.status_code, answer.json()["reason"]) == (500, "internal_error")
    assert "the process ends here" not in answer.text
    assert (await world.job(1)).state is JobState.QUEUED
    assert (await world.runner("r-1")).state is RunnerState.IDLE
    assert await world.events() == before
    monkeypatch.undo()
    assert (await world.deliver(WAY["in_progress"])).json()["state"] == "in_progress"


@pytest.mark.parametrize(("conclusion", "lost"), [("success", None), ("failure", Reason.MACHINE_LOST)])
async def test_a_job_that_looked_lost_and_succeeded_is_not_called_lost(world, conclusion, lost):
    await world.deliver(WAY["queued"])
    await world.deliver(WAY["in_progress"])
    await world.store.run(lambda conn: jobs.update(conn, 1, lost=Reason.MACHINE_LOST))
    await world.deliver(payload(1, "completed", conclusion=conclusion, **OURS))
    assert (await world.job(1)).lost is lost
