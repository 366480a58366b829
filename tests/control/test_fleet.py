"""A fleet starts with what it has, says what it lacks, and stops without leaving anything behind."""

import asyncio

import pytest

from runners.fleet import unique_part
from runners.planning.names import ID_LENGTH
from tests.fleet_world import FleetWorld, met

OPENERS = {"INFISICAL_CLIENT_ID": "id-dispatcher", "INFISICAL_CLIENT_SECRET": "s3cret-dispatcher"}


def tasks():
    return asyncio.all_tasks() - {asyncio.current_task()}


@pytest.fixture
async def infisical_world(tmp_path):
    """A fleet that reads its credentials from Infisical, not started yet."""
    world = FleetWorld(tmp_path, environ=dict(OPENERS), fleet={"secrets": "infisical"})
    yield world
    await world.http.aclose()


async def test_a_fleet_reads_its_credentials_from_infisical_before_anything_else(infisical_world):
    world = infisical_world
    await world.fleet.start()
    assert world.fleet.missing_credentials() == {}
    await world.fleet.stop()


async def test_a_fleet_starts_while_infisical_is_down_and_says_so(infisical_world, capsys):
    world = infisical_world
    down = world.net.down("infisical.sim")
    await world.fleet.start()
    (credentials,) = [loop for loop in world.fleet.loops() if loop.name == "credentials"]
    assert credentials.failures == 1
    assert "infisical" in credentials.last_error
    missing = world.fleet.missing_credentials()
    assert missing["fly"] == "FLY_API_TOKEN"
    assert missing["webhook"] == "GITHUB_WEBHOOK_SECRET"
    said = capsys.readouterr().out
    assert "loop.pass_failed" in said
    assert "s3cret-dispatcher" not in said
    answer = await world.http.get("/healthz")
    assert answer.status_code == 200
    assert (await world.http.get("/readyz")).status_code == 503
    down.times = 0
    world.fleet.wake("credentials")
    await met(lambda: not world.fleet.missing_credentials())
    await world.fleet.stop()


async def test_a_webhook_before_the_credentials_is_not_taken_for_forged(infisical_world):
    world = infisical_world
    world.net.down("infisical.sim")
    await world.fleet.start()
    answer = await world.http.post(
        "/webhooks/github", json={}, headers={"X-GitHub-Event": "workflow_job", "X-Hub-Signature-256": "x"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (503, "credential_missing")
    await world.fleet.stop()


async def test_a_stopped_fleet_leaves_no_task_behind(tmp_path):
    world = FleetWorld(tmp_path)
    before = tasks()
    await world.fleet.start()
    assert {task.get_name() for task in tasks() - before} >= {loop.name for loop in world.fleet.loops()}
    await met(lambda: all(loop.passes for loop in world.fleet.loops()))
    await world.fleet.stop()
    await world.http.aclose()
    assert tasks() <= before


async def test_a_fleet_that_is_stopped_while_a_call_is_out_records_its_answer(tmp_path):
    world = FleetWorld(tmp_path)
    await world.open()
    create = world.net.rule("hold", "POST", "/machines$")
    await world.arrive("build")
    planning = asyncio.create_task(world.plan())
    await create.reached.wait()
    stopping = asyncio.create_task(world.fleet.stop())
    await asyncio.sleep(0)
    create.released.set()
    await asyncio.gather(planning, stopping)
    await world.http.aclose()
    again = world.make_fleet()
    (row,) = await again.store.run(_live_machines)
    assert row.fly_id is not None
    await again.stop()


async def test_a_fleet_can_be_started_again_on_what_the_last_one_left(tmp_path):
    world = FleetWorld(tmp_path)
    await world.fleet.start()
    await world.fleet.stop()
    world.fleet = world.make_fleet()
    await world.fleet.start()
    await met(lambda: all(loop.passes for loop in world.fleet.loops()))
    assert [loop.last_error for loop in world.fleet.loops() if loop.failures] == []
    await world.fleet.stop()
    await world.http.aclose()


async def test_stopping_a_fleet_that_was_never_started_is_no_error(tmp_path):
    world = FleetWorld(tmp_path)
    await world.fleet.stop()
    await world.http.aclose()


async def test_a_running_fleet_serves_a_job_without_being_asked_to(tmp_path):
    """All loops at once, woken by the webhook: nobody calls a pass here."""
    world = FleetWorld(tmp_path)
    await world.fleet.start()
    await met(lambda: all(loop.passes for loop in world.fleet.loops()))
    await world.arrive("build")
    await met(lambda: world.net.count("POST", "/machines$") == 1)
    await met(world.github.registrations.all)
    world.pass_time(15)
    agent = world.agent()
    await agent.listen()
    assert (await agent.begin()).name == "build"
    await world.fleet.stop()
    await world.http.aclose()


def test_unique_parts_use_every_letter_and_are_of_one_length():
    made = {unique_part(lambda size, n=n: n.to_bytes(4, "big").rjust(size, b"\x07")) for n in range(500)}
    assert len(made) == 500
    assert {len(part) for part in made} == {ID_LENGTH}
    assert set("".join(made)) <= set("abcdefghijklmnopqrstuvwxyz0123456789")


def _live_machines(conn):
    from runners.store import machines  # noqa: PLC0415 - beside its one use

    return machines.live(conn)
