"""Hooks tell what the listener saw: they may veto a kill, and they never change a Job."""

import json

import pytest

from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import last_lines
from runners.wire.problem import Problem
from tests.fleet_world import open_world, pool, settings_for

HOOKS = ("online", "started", "completed")


@pytest.fixture
async def world(tmp_path):
    async with open_world(tmp_path) as world:
        yield world


@pytest.fixture
async def agent(world):
    """A Machine that has taken its registration."""
    agent = await world.booted()
    await agent.take()
    return agent


async def test_online_makes_a_claimed_runner_idle(world, agent):
    assert (await agent.hook("online")).status_code == 204
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.online_at) == (RunnerState.IDLE, world.clock.now())


async def test_started_makes_a_runner_busy_without_naming_a_job(world, agent):
    await agent.hook("online")
    assert (await agent.hook("started", run_id=7, job="build")).status_code == 204
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.busy_at, runner.job_id) == (RunnerState.BUSY, world.clock.now(), None)


async def test_a_started_hook_that_overtakes_online_counts_as_online(world, agent):
    await agent.hook("started")
    runner = await world.runner(agent.runner)
    assert (runner.state, runner.online_at) == (RunnerState.BUSY, world.clock.now())
    await agent.hook("online")
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY


async def test_started_vetoes_the_end_of_a_retiring_runner(world, agent):
    """Its removal is under way; the job that began says that it must not be killed."""
    await agent.hook("online")
    world.net.rule("answer", "DELETE", "/actions/runners/", status=500)
    for job in world.github.queue.jobs.values():
        world.github.queue.cancel(job.id)
    world.pass_time(130)
    await world.deliver()
    await world.plan()
    assert (await world.runner(agent.runner)).state is RunnerState.RETIRING
    await agent.hook("started")
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY
    world.pass_time(600)
    await world.plan(3)
    assert len(world.started()) == 1


async def test_no_hook_ever_changes_a_job(world, agent):
    (job,) = (await world.rows())[0]
    for name in (*HOOKS, *HOOKS):
        await agent.hook(name, run_id=job.run_id, job=job.name, repository=job.repository)
        assert await world.job(job.id) == job
    assert job.state is JobState.QUEUED


async def test_started_after_the_job_is_over_changes_nothing(world, agent):
    registration = next(r for r in world.github.registrations.all() if r.name == agent.runner)
    identity = registration.identity
    agent.session = world.github.sessions.open(identity.client_id, identity.proof(), "2.336.0")
    await agent.hook("online")
    job = await agent.begin()
    world.github.sessions.complete(agent.session.id, job.id, "success", ["success"])
    world.pass_time(5)
    await world.deliver()
    over = await world.runner(agent.runner)
    assert (over.state, over.reason) == (RunnerState.RETIRING, Reason.JOB_COMPLETED)
    for name in HOOKS:
        assert (await agent.hook(name)).status_code == 204
    assert await world.runner(agent.runner) == over
    assert (await world.job(job.id)).state is JobState.COMPLETED


@pytest.mark.parametrize("hook", HOOKS)
async def test_a_forged_hook_token_is_refused_and_changes_nothing(world, agent, hook):
    before = await world.runner(agent.runner)
    for token in ("guessed", agent.token(), agent.nonce):
        answer = await world.post(f"/v1/hooks/{hook}", token, {})
        assert answer.status_code == 403
        assert Problem.model_validate(answer.json()).reason == Reason.HOOK_TOKEN_WRONG
        assert token not in answer.text
    assert (await world.post(f"/v1/hooks/{hook}", "", {})).status_code == 401
    assert await world.runner(agent.runner) == before


async def test_a_hook_token_speaks_for_its_own_runner_only(world):
    await world.arrive("one", "two")
    await world.plan()
    world.pass_time(15)
    first, second = (world.agent(machine) for machine in world.started())
    await first.take()
    await second.take()
    await first.hook("started")
    assert (await world.runner(first.runner)).state is RunnerState.BUSY
    assert (await world.runner(second.runner)).state is RunnerState.CLAIMED


async def test_a_hook_before_the_hand_out_has_no_token_that_works(world):
    agent = await world.booted()
    for token in (agent.token(), ""):
        assert (await world.post("/v1/hooks/started", token, {})).status_code in (401, 403)
    (runner,) = await world.runners()
    assert runner.state in (RunnerState.LAUNCHING, RunnerState.BOOTING)


async def test_a_repeated_hook_is_written_down_once(world, agent):
    """Job code can call it as often as it likes."""
    await agent.hook("online")
    for _ in range(20):
        await agent.hook("started", run_id=7)
        await agent.hook("completed")
    target = f"runner/{agent.runner}"
    assert len(await world.events(target=target, actor="hook", verb="started")) == 1
    assert len(await world.events(target=target, actor="hook", verb="completed")) == 1
    assert len(await world.events(target=target, actor="hook", verb="moved")) == 2


async def test_a_body_that_no_hook_has_changes_nothing(world, agent):
    before = await world.runner(agent.runner)
    bodies = (
        b"",
        b"{",
        b"[]",
        b'{"run_id": "seven"}',
        b'{"run_id": 1e400}',
        b'{"run_id": ' + b"9" * 4000 + b"}",
        json.dumps({"job": "x" * 501}).encode(),
        b'{"job": "' + b"x" * 5_000_000 + b'"}',
        b"[" * 8000,
    )
    for body in bodies:
        answer = await world.http.post(
            "/v1/hooks/started", content=body, headers={"Authorization": f"Bearer {agent.hook_token}"}
        )
        assert answer.status_code == 400, body[:40]
        assert Problem.model_validate(answer.json()).reason == Reason.REQUEST_INVALID
    assert await world.runner(agent.runner) == before


async def test_an_unknown_hook_is_no_route_of_ours(world, agent):
    answer = await agent.hook("exploded")
    assert answer.status_code == 422
    assert "exploded" not in answer.text


async def test_the_names_that_a_job_chose_stay_out_of_the_events(world, agent):
    await agent.hook("started", run_id=7, job="::set-output <b>", repository="acme/web", workflow="\x1b[31m")
    text = repr(await world.events(target=f"runner/{agent.runner}"))
    assert "set-output" not in text
    assert "[31m" not in text
    assert "run 7" in text


async def test_what_a_machine_said_last_is_kept_with_its_runner_cleaned_and_once(world, agent):
    said = ["the listener ended badly", "\x1b[31mred\u202e", "x" * 300]
    assert (await agent.hook("ended", lines=said)).status_code == 204
    await agent.hook("ended", lines=["forged later"])
    kept = await world.fleet.store.run(lambda conn: last_lines.of(conn, agent.runner))
    assert kept[:2] == ("the listener ended badly", "[31mred")
    assert len(kept[2]) == 256
    assert "forged" not in repr(await world.events(target=f"runner/{agent.runner}"))


async def test_more_last_lines_than_an_agent_sends_are_refused(world, agent):
    for lines in (["x"] * 41, ["x" * 301], "text", [1]):
        assert (await agent.hook("ended", lines=lines)).status_code == 400


async def test_a_hook_wakes_the_planner(world, agent):
    planner = world.fleet._loop("planner")
    planner._woken.clear()
    await agent.hook("started")
    assert planner._woken.is_set()


@pytest.mark.parametrize("which", ["repository", "workflow", "event", "public", "fork"])
async def test_what_the_gate_refused_is_one_event_with_its_reason_and_changes_no_job(world, agent, which):
    (job,) = (await world.rows())[0]
    for _ in range(3):
        assert (await agent.hook("started", run_id=7, refused=which)).status_code == 204
    (event,) = await world.events(reason=Reason.GATE_REFUSED)
    assert (event.target, event.actor, event.verb, event.outcome) == (
        f"runner/{agent.runner}", "hook", "refused", "refused",
    )  # fmt: skip
    assert event.detail.startswith(("its", "it is of a pull request"))
    assert event.detail.endswith("; run 7")
    assert await world.job(job.id) == job
    # The runner has the job all the same, and must not be killed while it fails it.
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY


@pytest.mark.parametrize("forged", ["", "everything", "repository ", "x" * 500])
async def test_a_refusal_that_is_none_is_a_started_hook_like_any_other(world, agent, forged):
    assert (await agent.hook("started", run_id=7, refused=forged)).status_code == 204
    assert await world.events(reason=Reason.GATE_REFUSED) == ()
    assert (await world.runner(agent.runner)).state is RunnerState.BUSY


async def test_only_the_started_hook_can_tell_of_a_refusal(world, agent):
    await agent.hook("online", refused="public")
    await agent.hook("completed", refused="public")
    assert await world.events(reason=Reason.GATE_REFUSED) == ()


async def test_a_claims_answer_says_what_the_gate_of_its_pool_is_to_refuse(tmp_path):
    lists = {"repositories": ["acme/w*"], "events": ["push"], "allow_forks": True}
    async with open_world(tmp_path, pools=[pool(**lists)], github={"repositories": ["acme/*b"]}) as world:
        body = await (await world.booted()).take()
    assert body["gate"] == {
        "repositories": ["acme/w*b"],
        "workflows": [],
        "events": ["push"],
        "private_only": True,
        "forks": True,
    }


async def test_a_machine_whose_pool_is_gone_from_the_settings_gets_the_strictest_gate(tmp_path):
    """It was launched before a restart with another fleet.toml; its claim comes after it."""
    async with open_world(tmp_path, pools=[pool(allow_public=True, allow_forks=True)]) as world:
        agent = await world.booted()
        world.settings = settings_for(tmp_path, pools=[pool("gha-large")])
        world.fleet = world.make_fleet()
        world.http = world.connect()
        await world.open()
        body = await agent.take()
    assert (body["gate"]["private_only"], body["gate"]["forks"]) == (True, False)
