"""status --watch and events --follow: live, in place, over a restart, and ended by Ctrl-C without a word."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli_world import BIN, environment, until_line
from cli_world import running as process
from terminal import COLUMNS, terminal

from runners.cli import events, watch

CURSOR_UP = "\x1b[1A"


def test_a_watched_status_is_drawn_in_place_and_ends_quietly_with_ctrl_c(world):
    with terminal("status", "--watch", env={**world.access, "TERM": "xterm"}) as opened:
        opened.until("as of")
        opened.forget()
        world.queue("fly-gha-medium", seconds=3)
        shown = opened.until("1 running")
        assert CURSOR_UP in shown
        assert opened.ended(signal.SIGINT) == 0
        assert "Abort" not in opened.shown


def test_a_watched_status_in_a_pipe_is_a_block_for_each_change_or_a_line_of_json(world):
    for as_json in ((), ("--json",)):
        command = [sys.executable, "-m", "runners.cli", "status", "--watch", *as_json]
        with process(command, {**world.access, "PYTHONUNBUFFERED": "1"}) as watching:
            first = until_line(watching, "gha-medium")
            if as_json:
                assert json.loads(first)["fleet"] == "demo"
            world.queue("fly-gha-small", seconds=2)
            rest = iter(watching.stdout.readline, "")
            if as_json:
                assert json.loads(next(rest))["revision"] > json.loads(first)["revision"]
            else:
                assert next(line for line in rest if "running" in line and "0 running" not in line)
            os.killpg(watching.pid, signal.SIGINT)
            assert "Traceback" not in watching.stdout.read()
            assert watching.wait() == 0


def test_following_events_at_a_terminal_ends_quietly_with_ctrl_c(world):
    with terminal("events", "--follow", "--limit", "1", env=world.access) as opened:
        opened.until("(")
        job = world.queue("fly-gha-small")["job_ids"][0]
        opened.until(f"job/{job}")
        assert opened.ended(signal.SIGINT) == 0
        assert max(len(line) for line in opened.shown.splitlines()) <= COLUMNS + len("^C")
        assert "Abort" not in opened.shown


class Looks:
    """What is seen one look after the other; then the operator presses Ctrl-C."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def __call__(self, *_):
        if not self.answers:
            raise KeyboardInterrupt
        return self.answers.pop(0)


def fleet(revision):
    return {"revision": revision, "as_of": f"T{revision}", "loops": [{"last_pass_at": revision}]}


@pytest.fixture
def _at_once(monkeypatch):
    monkeypatch.setattr("runners.cli.watch.time.sleep", lambda _s: None)
    monkeypatch.setattr("runners.cli.events.time.sleep", lambda _s: None)


@pytest.mark.usefixtures("_at_once")
def test_a_dispatcher_that_is_away_for_a_while_is_said_once_and_watched_on(capsys):
    looks = Looks(fleet(1), fleet(1), "away", "away", fleet(1), fleet(2))
    watch.watch(looks, lambda seen: f"revision {seen['revision']}", as_json=False)
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "revision 1",
        "as of T1",
        "revision 1",
        "as of T1",
        "revision 2",
        "as of T2",
    ]
    assert said.err.splitlines() == ["away"]


@pytest.mark.usefixtures("_at_once")
def test_followed_events_go_on_where_they_were_when_the_dispatcher_is_back(capsys, monkeypatch):
    event = {"at": "2026-11-20T12:34:56.789Z", "actor": "planner", "verb": "moved", "reason": "observed"}
    event |= {"target": "runner/r", "outcome": "ok", "detail": ""}
    asked = []

    class Away:
        def __init__(self, *_):
            self.looks = Looks("away", "away", {"events": [event], "next_cursor": "8"}, "away")

        def get(self, *_):
            return {"events": [], "revision": 7}

        def look(self, _path, params):
            asked.append(params["cursor"])
            return self.looks()

    monkeypatch.setattr(events, "Dispatcher", Away)
    events.events(follow=True, limit=1)
    said = capsys.readouterr()
    assert asked == ["7", "7", "7", "8", "8"]
    assert said.out == "12:34:56.789 planner moved runner/r (observed)\n"
    assert said.err.splitlines() == ["away", "away"]


@pytest.mark.parametrize(("typed", "offered"), [("dr", "drain"), ("doc", "doctor"), ("run", "runners")])
def test_the_shell_completes_verbs(tmp_path, typed, offered):
    env = {"_FLY_GHA_COMPLETE": "complete_bash", "COMP_WORDS": f"fly-gha {typed}", "COMP_CWORD": "1"}
    done = subprocess.run(
        [BIN / "fly-gha"],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert offered in done.stdout.split()


def test_the_shell_completes_options(tmp_path):
    env = {"_FLY_GHA_COMPLETE": "complete_bash", "COMP_WORDS": "fly-gha cost --s", "COMP_CWORD": "2"}
    done = subprocess.run(
        [BIN / "fly-gha"],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        cwd=tmp_path,
    )
    assert "--since" in done.stdout.split()


def test_a_script_for_completion_is_printed_for_a_shell():
    env = environment({"HOME": str(Path.cwd())})
    done = subprocess.run(
        # The shell is the process that asks, so one has to.
        ["bash", "-c", '"$0" --show-completion bash; exit $?', BIN / "fly-gha"],
        env=env,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "_FLY_GHA_COMPLETE" in done.stdout, done.stderr
