"""jobs, runners, runner and cost against a dispatcher that runs: the API's JSON, and exit codes."""

import json

import pytest
from cli_world import ask, until

from runners.wire.job import JobPage
from runners.wire.runner import RunnerHistory, RunnerPage
from runners.wire.usage import Usage

READERS = (("jobs",), ("runners",), ("runner", "demo-x-1"), ("cost",), ("status", "--watch"))


def read(model, *arguments, world):
    done = ask(*arguments, "--json", env=world.access)
    assert done.exit_code == 0, done.stderr
    return model.read(done.stdout)


def test_jobs_are_the_queue_and_with_all_the_history(world):
    queued = world.queue("fly-gha-medium", approve_after_s=3000.0)["job_ids"][0]
    until(lambda: queued in {job.id for job in read(JobPage, "jobs", world=world).jobs})
    open_ones = read(JobPage, "jobs", world=world).jobs
    assert world.job_id not in {job.id for job in open_ones}
    assert world.job_id in {
        job.id for job in read(JobPage, "jobs", "--all", "--limit", "500", world=world).jobs
    }
    waiting = read(JobPage, "jobs", "--state", "waiting", "--state", "queued", world=world).jobs
    assert {job.state for job in waiting} <= {"waiting", "queued"}
    of_run = read(JobPage, "jobs", "--run", str(world.run_id), "--all", world=world).jobs
    assert [job.id for job in of_run] == [world.job_id]
    assert read(JobPage, "jobs", "--repository", "acme/none", "--all", world=world).jobs == ()


def test_completed_jobs_are_asked_for_by_state(world):
    done = read(JobPage, "jobs", "--state", "completed", world=world).jobs
    assert world.job_id in {job.id for job in done}
    assert {job.state for job in done} == {"completed"}


def test_a_runner_that_is_gone_tells_its_history(world):
    page = read(RunnerPage, "runners", "--all", "--limit", "500", world=world)
    name = next(runner.name for runner in page.runners if runner.job_id == world.job_id)
    history = read(RunnerHistory, "runner", name, world=world)
    assert (history.runner.state, history.boot.exit_code, history.exit_reason) == ("gone", 0, "job_completed")
    shown = ask("runner", name, env=world.access).stdout
    assert "exit code 0, job_completed" in shown


@pytest.mark.parametrize("name", ["x y", "../status", "a/b", "ä", "%2e%2e", ".", "..", ""])
def test_a_name_that_no_runner_has_is_a_no_or_bad_use_and_nothing_else(world, name):
    done = ask("runner", "--", name, env=world.access)
    assert done.exit_code in (1, 2), done.stdout
    assert done.stdout == ""


@pytest.mark.parametrize("by", ["pool", "repo", "workflow", "class", "region", "day"])
def test_cost_adds_up_by_whatever_it_is_grouped(world, by):
    found = read(Usage, "cost", "--by", by, "--since", "7d", world=world)
    assert found.rows
    assert sum(row.jobs for row in found.rows) == found.total.jobs
    assert sum(row.usd for row in found.rows) == pytest.approx(found.total.usd, abs=1e-4)
    assert found.total.usd == pytest.approx(found.total.busy_usd + found.total.waste_usd, abs=1e-5)
    parts = found.total.busy_minutes + found.total.boot_minutes + found.total.spare_minutes
    assert parts + found.total.idle_minutes == pytest.approx(found.total.machine_minutes, abs=0.01)


@pytest.mark.parametrize("since", ["yesterday", "7", "-1d", "2026-13-01", "2026-11-01T00:00:00", "", "1y"])
def test_a_time_that_is_none_is_bad_use(world, since):
    given = ask("cost", f"--since={since}", env=world.access)
    # A plain number is Unix seconds: that one is a time, and too long ago.
    assert given.exit_code == 2
    assert given.stdout == ""


@pytest.mark.parametrize("arguments", READERS)
def test_without_a_valid_token_nothing_is_shown_and_the_next_step_is_said(world, arguments):
    for token in ({}, {"FLY_GHA_TOKEN": "fgr_aaaaaaaa_" + "x" * 43}):
        done = ask(*arguments, env={"FLY_GHA_URL": world.place.url, **token})
        assert done.exit_code == 3
        assert done.stdout == ""
        assert "Next:" in done.stderr


@pytest.mark.parametrize("arguments", READERS[:-1])
def test_a_dispatcher_that_is_not_there_is_unreachable(arguments):
    done = ask(*arguments, env={"FLY_GHA_URL": "http://127.0.0.1:9"})
    assert done.exit_code == 3
    assert "fly-gha serve" in done.stderr


def test_a_reason_is_explained_without_any_dispatcher():
    done = ask("why", "--reason", "pool_at_max", "--json", env={"FLY_GHA_URL": "http://127.0.0.1:9"})
    assert done.exit_code == 0
    assert set(json.loads(done.stdout)) == {"reason", "means", "why_it_happens", "what_to_do"}
