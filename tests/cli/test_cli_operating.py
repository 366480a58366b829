"""drain, undrain, scale, pause, resume, retire, sweep, token against a dispatcher that runs."""

import json
import os
import pty
import subprocess
import sys

import pytest
from cli_world import ROOT, ask, environment, until

from runners.wire.operate import FleetOperation, PoolOperation, SweepAnswer
from runners.wire.token import TokenView

NOBODY = {"FLY_GHA_URL": "http://127.0.0.1:9", "FLY_GHA_TOKEN": "fgr_x"}
CHANGES = [
    ("drain", "gha-small", "--yes"),
    ("undrain", "gha-small"),
    ("scale", "gha-small", "--max", "3", "--yes"),
    ("pause", "--yes"),
    ("resume",),
    ("retire", "nobody", "--yes"),
    ("sweep",),
]
TAKING = [
    ("drain", "gha-small"),
    ("scale", "gha-small", "--max", "0"),
    ("pause",),
    ("retire", "nobody"),
    ("retire", "nobody", "--force"),
]


def fits(text):
    return max(len(line) for line in text.splitlines()) <= 80


def made(world, *scopes):
    flags = [part for scope in scopes for part in ("--scope", scope)]
    done = ask("token", "create", "--local", "--config", str(world.place.fleet), *flags)
    assert done.exit_code == 0, done.stderr
    return {"FLY_GHA_URL": world.place.url, "FLY_GHA_TOKEN": done.stdout.strip()}


@pytest.fixture(scope="module")
def access(world):
    """An operator, who reads as well; everything is put back at the end."""
    given = made(world, "read", "operate")
    yield given
    for put_back in (("resume",), ("undrain", "gha-small"), ("undrain", "gha-medium")):
        assert ask(*put_back, env=given).exit_code == 0


def test_a_drain_says_what_happens_next_in_eighty_columns_and_an_undrain_ends_it(access):
    done = ask("drain", "gha-small", "--yes", "--reason", "ana: new image", env=access)
    assert done.exit_code == 0, done.stderr
    first, *rest = done.stdout.splitlines()
    assert first == "pool gha-small is drained now"
    assert rest[-2] == "  jobs that queue from now on wait here, too"
    assert rest[-1].startswith("  revision ")
    assert fits(done.stdout)
    status = ask("status", env=access).stdout
    assert "gha-small (drained)" in status
    assert "  overridden in gha-small: drained" in status
    again = ask("drain", "gha-small", "--yes", env=access)
    assert (again.exit_code, again.stdout.splitlines()[0]) == (0, "pool gha-small was drained already")
    assert again.stdout.splitlines()[-1].endswith(", unchanged")

    events = ask("events", "--target", "pool/gha-small", "--verb", "drained", env=access).stdout
    assert "drained false -> true; said: ana: new image" in events

    undrained = ask("undrain", "gha-small", env=access)
    assert undrained.stdout.splitlines()[0] == "pool gha-small serves again"
    assert ask("undrain", "gha-small", env=access).stdout.splitlines()[0] == "pool gha-small was not drained"


def test_waiting_for_a_drain_shows_progress_until_the_pool_is_empty(access):
    done = ask("drain", "gha-medium", "--wait", "--yes", env=access)
    assert done.exit_code == 0, done.stderr
    assert "0 busy · 0 idle · 0 coming" in done.stdout
    assert done.stdout.splitlines()[-1] == "pool gha-medium is empty"
    as_json = ask("drain", "gha-medium", "--wait", "--yes", "--json", env=access)
    assert json.loads(as_json.stdout)["pool_now"]["live_machines"] == 0
    assert ask("undrain", "gha-medium", env=access).exit_code == 0


def test_a_wait_that_takes_too_long_is_a_no_and_leaves_the_pool_drained(world, access):
    world.queue("fly-gha-medium")
    pools = lambda: json.loads(ask("status", "--json", env=access).stdout)["pools"]  # noqa: E731
    until(lambda: any(pool["live_machines"] for pool in pools()))
    done = ask("drain", "gha-medium", "--wait", "--timeout", "0", "--yes", env=access)
    if done.exit_code:  # the job may just have ended
        assert (done.exit_code, "is not empty after 0 s" in done.stderr) == (1, True)
        assert "It stays drained" in done.stderr
    assert ask("undrain", "gha-medium", env=access).exit_code == 0


def test_a_scale_shows_before_and_after_and_default_goes_back(access):
    more = ask("scale", "gha-small", "--max", "7", "--ready", "0", "--yes", env=access)
    assert more.exit_code == 0, more.stderr
    assert "-> 7, ready 0, stopped 0 (fleet.toml)" in more.stdout.splitlines()[0]
    assert fits(more.stdout)
    back = ask("scale", "gha-small", "--max", "default", "--ready", "default", "--yes", "--json", env=access)
    assert PoolOperation.read(back.stdout).after.overrides == ()


def test_a_figure_that_only_grows_is_not_asked_about(access):
    assert ask("scale", "gha-small", "--stopped", "0", env=access).exit_code == 0
    assert ask("scale", "gha-small", "--stopped", "default", "--yes", env=access).exit_code == 0


def test_a_pause_and_a_resume_are_said_of_the_fleet(access):
    paused = ask("pause", "--yes", "--reason", "ana: incident", env=access)
    assert paused.stdout.splitlines()[0] == "fleet demo is paused now"
    assert fits(paused.stdout)
    assert "(paused)" in ask("status", env=access).stdout
    resumed = ask("resume", "--json", env=access)
    assert FleetOperation.read(resumed.stdout).after.paused is False
    assert ask("resume", env=access).stdout.splitlines()[0] == "fleet demo was not paused"


def test_a_sweep_says_what_it_finds_and_that_two_readings_must_agree(access):
    dry = ask("sweep", "--dry-run", env=access)
    assert dry.exit_code == 0, dry.stderr
    assert " found at the planner's look of " in dry.stdout
    swept = ask("sweep", env=access)
    assert "nothing is ended before two readings" in swept.stdout
    assert fits(dry.stdout)
    assert SweepAnswer.read(ask("sweep", "--dry-run", "--json", env=access).stdout).dry_run


def test_a_runner_that_is_gone_needs_no_retiring(world, access):
    events = json.loads(ask("why", str(world.job_id), "--json", env=access).stdout)
    done = ask("retire", events["runner_name"], "--yes", env=access)
    assert done.exit_code == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("is gone: nothing to do")


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("drain", "gha-smal", "--yes"), "gha-small"),
        (("undrain", "gha_small"), "gha-small"),
        (("scale", "gha-mediun", "--ready", "1", "--yes"), "gha-medium"),
        (("retire", "demo-gha-small-x-1", "--yes"), "There is no such runner"),
        (("drain", "../tokens", "--yes"), "There is no such pool"),
        (("drain", "", "--yes"), "There is no such pool"),
    ],
)
def test_an_unknown_name_is_a_no_with_the_nearest_ones(access, arguments, named):
    done = ask(*arguments, env=access)
    assert (done.exit_code, done.stdout) == (1, "")
    assert named in done.stderr


@pytest.mark.parametrize(
    "figures",
    [
        ("--max", "100000"),
        ("--max", "-1"),
        ("--max", "many"),
        ("--max", "²"),
        ("--ready", "1.5"),
        ("--max", "1", "--ready", "2"),
        (),
    ],
)
def test_a_scale_that_cannot_be_is_bad_use_and_changes_nothing(access, figures):
    before = ask("status", "--json", env=access).stdout
    done = ask("scale", "gha-small", *figures, "--yes", env=access)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.strip()
    overrides = [
        pool["overrides"] for pool in json.loads(ask("status", "--json", env=access).stdout)["pools"]
    ]
    assert overrides == [pool["overrides"] for pool in json.loads(before)["pools"]]


def test_a_timeout_without_a_wait_is_bad_use_and_changes_nothing(access):
    done = ask("drain", "gha-small", "--timeout", "5", "--yes", env=access)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--wait" in done.stderr


@pytest.mark.parametrize("command", TAKING)
def test_without_yes_a_script_takes_no_capacity_away(access, command):
    done = ask(*command, env=access)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "add --yes" in done.stderr


@pytest.mark.parametrize(("said", "code"), [(b"y\n", 0), (b"n\n", 1), (b"\n", 1), (b"\x04", 1)])
def test_a_person_is_asked_and_a_no_changes_nothing(access, said, code):
    keyboard, terminal = pty.openpty()
    os.write(keyboard, said)
    done = subprocess.run(
        [sys.executable, "-m", "runners.cli", "drain", "gha-small"],
        stdin=terminal, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT,
        env=environment({"PYTHONPATH": str(ROOT), **access}),
    )  # fmt: skip
    os.close(keyboard)
    os.close(terminal)
    assert done.returncode == code, done.stderr
    assert "Drain pool gha-small?" in done.stderr
    assert ("Nothing was changed." in done.stderr) == bool(code)
    assert ask("undrain", "gha-small", env=access).exit_code == 0


@pytest.mark.parametrize("command", CHANGES)
def test_a_token_that_may_only_read_is_told_which_scope_is_missing(world, command):
    done = ask(*command, env=made(world, "read"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "scope operate" in done.stderr


@pytest.mark.parametrize(
    "command", [*CHANGES, ("token", "list"), ("token", "create"), ("token", "revoke", "x")]
)
def test_a_dispatcher_that_is_not_there_is_unreachable_and_nothing_was_changed(command):
    done = ask(*command, env=NOBODY)
    assert (done.exit_code, done.stdout) == (3, "")
    assert "did not answer" in done.stderr


def test_operating_does_not_need_reading_but_for_the_wait(world):
    operator = made(world, "operate")
    assert ask("drain", "gha-small", "--yes", env=operator).exit_code == 0
    waiting = ask("drain", "gha-small", "--wait", "--yes", env=operator)
    assert waiting.exit_code == 3
    assert "scope read" in waiting.stderr
    assert ask("scale", "gha-small", "--ready", "1", env=operator).exit_code == 2, (
        "what is there is not known"
    )
    assert ask("undrain", "gha-small", env=operator).exit_code == 0


def test_an_administrator_makes_lists_and_revokes_tokens_over_http(world):
    admin = made(world, "admin")
    new = json.loads(ask("token", "create", "--name", "ci", "--days", "1", "--json", env=admin).stdout)
    bearer = {"FLY_GHA_URL": world.place.url, "FLY_GHA_TOKEN": new["token"]}
    assert ask("status", env=bearer).exit_code == 0
    listed = ask("token", "list", env=admin)
    assert new["id"] in listed.stdout
    assert fits(listed.stdout)
    rows = [
        TokenView.model_validate(each)
        for each in json.loads(ask("token", "list", "--json", env=admin).stdout)
    ]
    local = ask("token", "list", "--local", "--json", "--config", str(world.place.fleet))
    assert [TokenView.model_validate(each).id for each in json.loads(local.stdout)] == [
        row.id for row in rows
    ]
    assert new["token"] not in listed.stdout

    assert ask("token", "revoke", new["id"], "--reason", "ana: leaked", env=admin).exit_code == 0
    assert ask("token", "revoke", new["id"], env=admin).exit_code == 1
    assert ask("token", "revoke", "nobody", env=admin).exit_code == 1
    assert ask("status", env=bearer).exit_code == 3
    assert ask("token", "create", "--scope", "everything", env=admin).exit_code == 2
