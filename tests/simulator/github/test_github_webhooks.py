"""The outbox, its faults, and the delivery log."""

import hashlib
import hmac
import json

import pytest

from simulator.github.problems import GitHubProblem


def actions(world, seconds, step=0.5):
    """Which events arrive during that time, in order."""
    seen = []
    for _ in range(int(seconds / step)):
        world.wait(step)
        seen += [hook["action"] for hook in world.webhooks()]
    return seen


def finish_a_job(world):
    (job,) = world.queue()
    world.wait(5)
    session = world.online(world.jit("r1"))
    world.sim.sessions.poll(session.id)
    world.sim.sessions.renew(session.id, job.id)
    world.sim.sessions.complete(session.id, job.id, "success", ["success"])
    return job


def test_the_events_of_a_job_arrive_in_order(world):
    finish_a_job(world)
    assert actions(world, 10) == ["queued", "in_progress", "completed"]


def test_a_later_event_waits_for_the_answer_to_the_earlier_one(world):
    finish_a_job(world)
    world.wait(10)
    (first,) = world.sim.webhooks.take_due()
    assert world.sim.webhooks.take_due() == []
    world.sim.webhooks.sent(first)
    assert [delivery.action for delivery in world.sim.webhooks.take_due()] == ["in_progress"]


def test_a_job_cancelled_while_queued_has_one_completed_event_without_runner(world):
    world.queue(cancel_after_s=1.0)
    world.wait(20)
    assert [hook["action"] for hook in world.webhooks() + world.webhooks()] == ["queued", "completed"]
    newest = world.sim.webhooks.log.page(10, None, None)[0][0]
    job = json.loads(newest.payload)["workflow_job"]
    assert (job["conclusion"], job["runner_id"], job["runner_name"]) == ("cancelled", 0, "")


def test_a_delivery_is_signed_over_its_raw_bytes_and_says_where_it_comes_from(world):
    world.queue()
    world.wait(5)
    (delivery,) = world.sim.webhooks.take_due()
    headers = world.sim.webhooks.headers_for(delivery)
    signature = hmac.new(b"whsec", delivery.payload, hashlib.sha256).hexdigest()
    assert headers["X-Hub-Signature-256"] == f"sha256={signature}"
    assert headers["X-GitHub-Event"] == "workflow_job"
    assert headers["X-GitHub-Hook-Installation-Target-Type"] == "integration"
    assert headers["X-GitHub-Hook-Installation-Target-ID"] == "4711"
    assert headers["User-Agent"].startswith("GitHub-Hookshot/")


def test_a_lost_webhook_never_arrives_but_stands_in_the_log(world):
    world.sim.faults.add("lose_webhook", job="build", action="queued")
    world.queue()
    world.wait(5)
    assert world.webhooks() == []
    (delivery,) = world.sim.webhooks.log.page(10, None, None)[0]
    assert (delivery.status_code, delivery.action) == (0, "queued")
    assert world.sim.webhooks.log.page(10, None, "failure")[0] == []
    assert world.sim.faults.unfired() == ()


def test_a_dropped_webhook_leaves_no_trace(world):
    world.sim.faults.add("drop_webhook", action="queued")
    world.queue()
    world.wait(5)
    assert world.webhooks() == []
    assert world.sim.webhooks.log.page(10, None, None)[0] == []


def test_a_doubled_webhook_arrives_twice_with_one_guid(world):
    world.sim.faults.add("double_webhook", action="queued")
    world.queue()
    world.wait(5)
    first, second = world.webhooks()
    assert first["guid"] == second["guid"]
    assert first["id"] != second["id"]


def test_a_delayed_webhook_is_overtaken(world):
    world.sim.faults.add("delay_webhook", params={"seconds": 30.0}, action="queued")
    finish_a_job(world)
    assert actions(world, 60) == ["in_progress", "completed", "queued"]


def test_the_log_pages_from_new_to_old_by_cursor(world):
    world.queue(*(f"job-{number}" for number in range(5)))
    world.wait(10)
    world.webhooks()
    page, cursor = world.sim.webhooks.log.page(2, None, None)
    seen = [delivery.id for delivery in page]
    while cursor is not None:
        page, cursor = world.sim.webhooks.log.page(2, cursor, None)
        seen += [delivery.id for delivery in page]
    assert len(seen) == 5
    assert seen == sorted(seen, reverse=True)
    with pytest.raises(GitHubProblem):
        world.sim.webhooks.log.page(2, "nonsense", None)


def test_a_redelivery_keeps_the_guid_and_the_bytes(world):
    world.queue()
    world.wait(5)
    (first,) = world.webhooks()
    world.sim.webhooks.redeliver(first["id"])
    world.wait(2)
    (again,) = world.webhooks()
    assert again["guid"] == first["guid"]
    newer, older = world.sim.webhooks.log.page(10, None, None)[0]
    assert newer.redelivery
    assert newer.payload == older.payload


def test_the_log_forgets_after_three_days(world):
    world.queue()
    world.wait(5)
    (first,) = world.webhooks()
    world.wait(259_201)
    assert world.sim.webhooks.log.page(10, None, None)[0] == []
    with pytest.raises(GitHubProblem):
        world.sim.webhooks.redeliver(first["id"])
