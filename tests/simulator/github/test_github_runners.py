"""Registrations: names, labels, scopes, and every way a record goes."""

import base64
import json

import pytest

from simulator.github.problems import GitHubProblem


def refused(call, *args, **kwargs):
    with pytest.raises(GitHubProblem) as caught:
        call(*args, **kwargs)
    return caught.value


def removed(world):
    return [(entry["name"], entry["why"]) for entry in world.sim.journal.of("runner_removed")]


def test_a_name_is_taken_once_per_scope_in_any_case(world):
    world.jit("r1")
    problem = refused(world.jit, "R1")
    assert problem.status == 409
    assert "Already exists" in problem.message
    default = world.sim.directory.group(1)
    world.sim.registrations.mint_jit("repos/acme/web", "r1", default, ["fly"], "_work")


@pytest.mark.parametrize("name", ["", "a" * 65, "a:b", "a/b", 'a"b', "a*b", None])
def test_a_name_github_would_not_take_is_refused(world, name):
    assert refused(world.jit, name).status == 422


@pytest.mark.parametrize("labels", [[], "fly", [""], [1], ["x"] * 101, ["x" * 257]])
def test_labels_github_would_not_take_are_refused(world, labels):
    default = world.sim.directory.group(1)
    problem = refused(world.sim.registrations.mint_jit, "orgs/acme", "r1", default, labels, "_work")
    assert problem.status == 422


def test_a_repository_knows_only_the_default_group(world):
    group = world.sim.directory.group_named("fleet")
    problem = refused(world.sim.registrations.mint_jit, "repos/acme/web", "r1", group, ["fly"], "_work")
    assert problem.status == 404


def test_a_jit_config_holds_the_three_files_of_the_real_one(world):
    runner = world.jit("r1")
    files = json.loads(base64.b64decode(world.sim.sessions.jit_config(runner)))
    assert set(files) == {".runner", ".credentials", ".credentials_rsaparams"}
    settings = json.loads(base64.b64decode(files[".runner"]))
    assert settings["ServerUrlV2"] == "http://127.0.0.1:8002/_runner"
    assert settings["Ephemeral"] == "True"
    assert all(isinstance(value, str) for value in settings.values())


def test_an_unused_jit_runner_is_gone_after_five_minutes(world):
    world.jit("r1")
    world.wait(299)
    assert world.sim.registrations.all()
    world.wait(2)
    assert removed(world) == [("r1", "expired")]


def test_an_idle_jit_runner_is_dropped_after_six_minutes_and_learns_it_from_a_404(world):
    session = world.online(world.jit("r1"))
    for _ in range(35):
        world.wait(10)
        world.sim.sessions.poll(session.id)
    world.wait(11)
    assert removed(world) == [("r1", "expired")]
    assert refused(world.sim.sessions.poll, session.id).status == 404


def test_scale_divides_the_patience(make_world):
    world = make_world(scale=60.0)
    world.jit("r1")
    world.wait(5.1)
    assert removed(world) == [("r1", "expired")]


def test_a_runner_of_a_registration_token_may_idle(world):
    group = world.sim.directory.group(1)
    runner = world.sim.registrations.register(
        "orgs/acme", "r1", group, ["fly"], ephemeral=True, replace=False, work_folder="_work"
    )
    session = world.online(runner)
    for _ in range(60):
        world.wait(30)
        assert world.sim.sessions.poll(session.id) is None


def test_an_idle_runner_is_deleted_and_a_busy_one_is_not(world):
    (job,) = world.queue()
    runner = world.jit("r1")
    session = world.online(runner)
    world.wait(5)
    assert world.sim.sessions.poll(session.id) is job
    problem = refused(world.sim.registrations.delete, "orgs/acme", runner.id)
    assert problem.status == 422
    idle = world.jit("r2")
    world.sim.registrations.delete("orgs/acme", idle.id)
    assert refused(world.sim.registrations.delete, "orgs/acme", idle.id).status == 404
    assert removed(world) == [("r2", "deleted")]


def test_lists_learn_late_that_a_runner_is_online(world):
    runner = world.jit("r1")
    world.online(runner)
    assert not runner.seen_online
    world.wait(20)
    assert runner.seen_online


def test_a_silent_runner_goes_offline_and_is_cleaned_up_after_a_day(world):
    runner = world.jit("r1")
    world.online(runner)
    world.wait(121)
    assert not runner.online
    world.wait(86_401)
    assert removed(world) == [("r1", "offline")]


def test_wrong_credentials_and_a_second_session_are_refused(world):
    runner = world.jit("r1")
    assert refused(world.sim.sessions.open, runner.identity.client_id, "guess", "2").status == 401
    world.online(runner)
    assert refused(world.online, runner).status == 409


def test_a_deprecated_version_gets_no_session(world):
    world.sim.faults.add("runner_version_deprecated", name="r1")
    assert refused(world.online, world.jit("r1")).status == 403
