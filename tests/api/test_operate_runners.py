"""Retire and sweep over HTTP: what is refused, what is recorded, what is said."""

import pytest

from runners.model.nouns import Machine
from runners.model.snapshot import MachineReading, RunnerReading, SeenMachine, SeenRunner, VolumeReading
from runners.model.states import JobState, MachineState, RunnerState
from runners.store import machines, runners
from runners.wire.operate import RunnerOperation, SweepAnswer
from runners.wire.problem import Problem

WORDS = "ana: it hangs"


@pytest.fixture
async def client(world):
    return world.connect(authorization=f"Bearer {await world.token('operate')}")


async def retire(client, name, **body):
    return await client.post(f"/v1/runners/{name}/retire", json=body)


def done(answer):
    assert answer.status_code == 200, answer.text
    return RunnerOperation.model_validate(answer.json())


def refused(answer, status):
    assert answer.status_code == status, answer.text
    return Problem.model_validate(answer.json())


async def asked(world):
    return [(event.target, event.reason, event.detail) for event in await world.events(verb="retire_asked")]


async def test_an_idle_runner_is_left_to_the_planner_with_the_operators_wish(world, client):
    await world.add_runner("r-1")
    answer = done(await retire(client, "r-1", reason=WORDS))
    assert (answer.changed, answer.loses_job, answer.after.end_asked) == (True, None, "operator_retired")
    assert (answer.before.state, answer.after.state) == ("idle", "idle")
    assert "a job that it gets in this moment keeps it" in answer.next[0]
    assert world.wakes == ["planner"]
    assert await asked(world) == [("runner/r-1", "operator_retired", f"idle -> to be ended; said: {WORDS}")]
    assert (await world.runner("r-1")).end_asked == "operator_retired"


async def test_a_busy_runner_is_refused_and_by_force_its_job_is_said_to_be_lost(world, client):
    await world.add_runner("r-1", state=RunnerState.BUSY, job_id=9)
    await world.add_job(9, state=JobState.IN_PROGRESS, runner_name="r-1")
    problem = refused(await retire(client, "r-1"), 409)
    assert (problem.reason, "it runs job 9" in problem.why) == ("busy", True)
    assert "the job is lost" in problem.next_step
    assert (await world.runner("r-1")).end_asked is None
    assert await asked(world) == []

    answer = done(await retire(client, "r-1", force=True, reason=WORDS))
    assert (answer.loses_job, answer.after.end_asked) == (9, "operator_forced")
    assert "job 9 is lost" in answer.next[1]
    detail = f"busy -> to be ended by force, job 9 is lost; said: {WORDS}"
    assert await asked(world) == [("runner/r-1", "operator_forced", detail)]


async def test_a_job_in_progress_vetoes_even_before_its_runner_counts_as_busy(world, client):
    await world.add_runner("r-1")
    await world.add_job(9, state=JobState.IN_PROGRESS, runner_name="r-1")
    assert refused(await retire(client, "r-1"), 409).reason == "busy"


async def test_a_busy_runner_whose_job_is_unknown_yet_is_busy_all_the_same(world, client):
    await world.add_runner("r-1", state=RunnerState.BUSY)
    assert "has not named yet" in refused(await retire(client, "r-1"), 409).why
    assert "which GitHub has not named yet, is lost" in done(await retire(client, "r-1", force=True)).next[1]


async def test_asking_again_changes_nothing_and_force_may_follow_a_wish(world, client):
    await world.add_runner("r-1")
    assert [done(await retire(client, "r-1")).changed for _ in range(2)] == [True, False]
    assert [done(await retire(client, "r-1", force=True)).changed for _ in range(2)] == [True, False]
    assert done(await retire(client, "r-1")).after.end_asked == "operator_forced"
    assert len(await asked(world)) == 2


async def test_what_is_ending_or_gone_is_so_already(world, client):
    await world.add_runner("ending", state=RunnerState.RETIRING)
    await world.add_runner("gone", state=RunnerState.GONE, gone_at=world.clock.at)
    assert done(await retire(client, "ending")).next == ("it is ending already: nothing was changed",)
    for force in (False, True):
        assert done(await retire(client, "gone", force=force)).next == (
            "it is gone already: nothing was changed",
        )
    assert await asked(world) == []
    # It may hang in its grace: force ends its Machine at once.
    assert done(await retire(client, "ending", force=True)).changed


async def test_one_that_ends_before_it_had_a_registration_has_no_machine_to_force(world, client):
    await world.add_runner("r-1", state=RunnerState.RETIRING)
    await world.store.run(lambda conn: runners.update(conn, "r-1", claimed_at=None))
    assert done(await retire(client, "r-1", force=True)).changed is False


async def test_an_unknown_runner_is_answered_with_the_nearest_names(world, client):
    await world.add_runner("test-gha-small-abc-1")
    problem = refused(await retire(client, "test-gha-small-abd-1"), 404)
    assert "test-gha-small-abc-1" in problem.next_step
    assert refused(await retire(client, "x" * 201), 422).reason == "request_invalid"


async def test_a_limited_token_retires_only_in_its_pools_and_never_beside_others(world):
    await world.add_runner("mine")
    await world.add_runner("others", pool="gha-medium")
    limited = world.connect(authorization=f"Bearer {await world.token('operate', pools=('gha-small',))}")
    assert done(await retire(limited, "mine")).changed
    assert "mine" not in refused(await retire(limited, "others"), 404).why
    by_repository = world.connect(
        authorization=f"Bearer {await world.token('operate', repositories=('acme/web',))}"
    )
    assert "serves others" in refused(await retire(by_repository, "mine"), 403).why


def machine(world, name, **fields):
    values = {"pool": "gha-small", "machine_class": "gha-small", "image": "image", "app": "app-a"}
    at = world.clock.at - 500
    values |= {"region": "iad", "fly_id": f"id-{name}", "requested_at": at, "state_at": at}
    return Machine(name=name, state=MachineState.BOUND, **values | fields)


async def looked(world, *, ago, **more):
    """A pass that saw, at Fly and at GitHub, what no row has, first ``ago`` seconds before the last list."""
    now, name = world.clock.at, "test-gha-small-aaaaaaaaaa"
    seen = SeenMachine("f1", name, "app-a", "iad", "started", True, True, now - ago)
    # Of another Machine: a registration that GitHub lists protects its own.
    record = SeenRunner(7, "test-gha-small-bbbbbbbbbb-1", True, False, now - ago)
    await world.plan(
        fly={"app-a": MachineReading(now, {name: seen})},
        github={"orgs/acme": RunnerReading(now, {record.name: record})},
        **more,
    )


async def sweep(client, **body):
    answer = await client.post("/v1/sweep", json=body)
    assert answer.status_code == 200, answer.text
    return SweepAnswer.model_validate(answer.json())


async def test_a_dry_run_says_what_the_sweep_would_end_and_ends_nothing(world, client):
    await world.store.run(
        lambda conn: machines.insert(conn, machine(world, "left"), actor="planner", reason="demand")
    )
    await looked(world, ago=61)
    answer = await sweep(client, dry_run=True)
    assert {(each.kind, each.where, each.reason, each.confirmed) for each in answer.found} == {
        ("machine", "app-a", "machine_without_row", True),
        ("registration", "orgs/acme", "registration_without_runner", True),
        ("row", "app-a", "row_without_either", True),
    }
    assert answer.next[0] == "3 would be ended at the planner's next pass"
    assert world.wakes == []
    assert await world.events(verb="sweep_asked") == ()


async def test_a_dry_run_shows_a_volume_that_no_machine_has(world, client):
    now = world.clock.at
    await looked(world, ago=61, volumes={"app-a": VolumeReading(now, {"vol_1": now - 500, "vol_2": now - 1})})
    found = [each for each in (await sweep(client, dry_run=True)).found if each.kind == "volume"]
    assert [(each.name, each.where, each.reason, each.confirmed) for each in found] == [
        ("vol_1", "app-a", "volume_without_machine", True),
        ("vol_2", "app-a", "volume_without_machine", False),
    ]
    assert found[1].confirmed_at is not None


async def test_one_reading_is_not_enough_and_the_answer_says_from_when_it_may_be(world, client):
    await looked(world, ago=20)
    answer = await sweep(client, dry_run=True)
    assert [each.confirmed for each in answer.found] == [False, False]
    assert {each.confirmed_at for each in answer.found} == {"2026-11-18T11:07:20.000Z"}
    assert "nothing is ended before two readings 60 s apart agree: 2 wait for the second" in answer.next


async def test_a_sweep_wakes_the_lists_and_the_planner_and_is_an_event(world, client):
    await looked(world, ago=20)
    answer = await sweep(client, reason=WORDS)
    assert world.wakes == ["machine-list", "runner-list", "planner"]
    (event,) = await world.events(verb="sweep_asked")
    assert (event.seq, event.target) == (answer.revision, "fleet")
    assert event.detail == f"2 found so far; said: {WORDS}"
    assert "two readings 60 s apart agree" in answer.next[1]


async def test_a_sweep_before_the_first_pass_says_that_nothing_has_been_looked_at(world, client):
    answer = await sweep(client, dry_run=True)
    assert (answer.found, answer.planned_at) == ((), None)
    assert "has not looked yet" in answer.next[-1]
