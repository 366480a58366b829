"""The boot agent and the runner it starts: every way a listener can end, and being told to end."""

import json
import os
import pwd
import signal
import sys
import time
from pathlib import Path

import pytest
from boot_world import JIT, JIT_CLAIM, TOKEN, TOKEN_CLAIM, TOKEN_REGISTRATION

CONFIGURED = "note('config', [sys.argv[1:], dict(os.environ)])\n"


def test_jit_mode_gives_the_config_to_the_listener_alone(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("note('listener', [sys.argv[1:], dict(os.environ), os.getcwd()])\n" + GOOD)

    assert world.run().code == 0

    arguments, env, folder = world.note("listener")
    assert arguments == ["run"]
    assert env["ACTIONS_RUNNER_INPUT_JITCONFIG"] == JIT
    assert env["ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE"] == "1"
    assert folder == str(world.runner_dir)
    assert not (world.notes / "config").exists()


GOOD = "online()\njob()\n"


def test_token_mode_configures_first_and_wipes_the_token(world):
    world.dispatch((200, TOKEN_CLAIM))
    world.config(CONFIGURED)
    world.listener("note('listener', dict(os.environ))\n" + GOOD)

    assert world.run().code == 0

    arguments, env = world.note("config")
    fixed = "--unattended --ephemeral --no-default-labels --disableupdate --runnergroup fly"
    named = "--labels fly-gha-medium,linux --name gha-medium-1 --work _work --url https://github.com/acme"
    assert " ".join(arguments) == f"{fixed} {named}"
    assert env["ACTIONS_RUNNER_INPUT_TOKEN"] == TOKEN
    assert not [name for name in world.note("listener") if name.startswith("ACTIONS_RUNNER_INPUT")]


@pytest.mark.parametrize("group", [None, ""])
def test_a_repository_runner_names_no_group(world, group):
    claim = {**TOKEN_CLAIM, "registration": {**TOKEN_REGISTRATION, "runner_group": group}}
    world.dispatch((200, claim))
    world.config(CONFIGURED)
    assert world.run().code == 0
    assert "--runnergroup" not in world.note("config")[0]


def test_a_configuration_that_fails_ends_the_machine_with_its_last_words(world):
    world.dispatch((200, TOKEN_CLAIM))
    world.config("say('Http response code: NotFound')\nsys.exit(1)\n")
    (world.runner_dir / "_diag").mkdir()
    (world.runner_dir / "_diag" / "Runner_1.log").write_text("the group does not exist\n")

    ended = world.run()

    assert ended.code == 25
    assert "Http response code: NotFound" in ended.out
    assert "the group does not exist" in ended.out


def test_after_a_bad_end_the_last_lines_go_to_the_dispatcher_masked_and_bounded(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        f"online()\nfor n in range(400): say(f'line {{n}} ' + 'y' * 200)\nsay({JIT!r})\nsys.exit(1)\n"
    )
    (world.runner_dir / "_diag").mkdir()
    (world.runner_dir / "_diag" / "Runner_1.log").write_text("why it ended\n")

    assert world.run().code == 28

    [told] = world.dispatcher.of("/v1/hooks/ended")
    lines = told.body["lines"]
    assert "why it ended" in lines
    assert lines[-1].startswith("exit: 28 exit_runner_failed")
    assert JIT not in "".join(lines)
    assert 2 < len(lines) <= 40
    assert len(json.dumps(told.body)) < 8192


def test_a_worker_that_died_leaves_its_last_lines_though_the_listener_ends_well(world):
    """The kernel kills the worker for memory, and GitHub's listener returns 0 all the same."""
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "online()\n"
        "subprocess.run([os.environ['ACTIONS_RUNNER_HOOK_JOB_STARTED']], env={'GITHUB_RUN_ID': '1'})\n"
    )
    (world.runner_dir / "_diag").mkdir()
    (world.runner_dir / "_diag" / "Worker_1.log").write_text("the last that the worker wrote\n")

    ended = world.run()

    assert ended.code == 0
    assert "was its worker killed?" in ended.details("unfinished")[0]
    (told,) = world.dispatcher.of("/v1/hooks/ended")
    assert "the last that the worker wrote" in told.body["lines"]


def test_a_good_end_leaves_no_last_lines(world):
    world.dispatch((200, JIT_CLAIM))
    assert world.run().code == 0
    assert "/v1/hooks/ended" not in world.dispatcher.paths()


@pytest.mark.parametrize("script", ["missing", "unexecutable"])
def test_a_runner_folder_that_cannot_be_started_ends_the_machine(world, script):
    world.dispatch((200, JIT_CLAIM))
    listener = world.runner_dir / "bin" / "Runner.Listener"
    listener.unlink() if script == "missing" else listener.chmod(0o644)
    ended = world.run()
    assert ended.code == 28
    assert "cannot be started" in ended.details("exit")[0]

    world.dispatcher.claims = [(200, TOKEN_CLAIM)]
    assert world.run().code == 25


def test_a_configuration_that_hangs_is_killed_at_the_online_deadline(world):
    world.dispatch((200, {**TOKEN_CLAIM, "online_deadline_s": 0.3}))
    world.config("signal.signal(signal.SIGINT, signal.SIG_IGN)\ntime.sleep(60)\n")
    assert world.run().code == 25


def test_a_listener_that_is_never_online_is_killed(world):
    world.dispatch((200, {**JIT_CLAIM, "online_deadline_s": 0.3}))
    world.listener("signal.signal(signal.SIGINT, signal.SIG_IGN)\nnote('pid', os.getpid())\ntime.sleep(60)\n")

    ended = world.run()

    assert ended.code == 26
    assert not alive(world.note("pid"))
    assert "/v1/hooks/online" not in world.dispatcher.paths()


def test_a_listener_that_ends_well_without_having_been_online_did_no_job(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("say('Runner was deleted')\n")
    assert world.run().code == 26


def test_a_job_counts_as_online_whatever_words_the_listener_prints(world):
    world.dispatch((200, {**JIT_CLAIM, "online_deadline_s": 1.2}))
    world.listener("say('Attente de travail')\njob()\ntime.sleep(1.2)\n")
    assert world.run().code == 0


def test_an_online_listener_may_wait_longer_than_the_online_deadline(world):
    world.dispatch((200, {**JIT_CLAIM, "online_deadline_s": 1.0}))
    world.listener("online()\ntime.sleep(1.5)\njob()\n")
    assert world.run().code == 0


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit(1)", 28),
        ("sys.exit(5)", 28),
        ("sys.exit(7)", 27),
        ("sys.exit(131)", 28),
        ("os.kill(os.getpid(), signal.SIGSEGV)", 28),
    ],
)
def test_a_listener_that_ends_badly_is_not_started_again(world, end, code):
    world.dispatch((200, JIT_CLAIM))
    world.listener(f"count('starts')\nonline()\n{end}\n")
    (world.runner_dir / "_diag").mkdir()
    (world.runner_dir / "_diag" / "Runner_1.log").write_text("why it went wrong\n")

    ended = world.run()

    assert ended.code == code
    assert (world.notes / "starts").read_text() == "x"
    assert "why it went wrong" in ended.out


@pytest.mark.parametrize("code", [2, 6])
def test_a_listener_that_may_be_retried_is_started_again(world, code):
    world.dispatch((200, JIT_CLAIM))
    world.listener(f"if count('starts') < 3: sys.exit({code})\n" + GOOD)

    assert world.run().code == 0
    assert (world.notes / "starts").read_text() == "xxx"


def test_retrying_is_bounded(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("count('starts')\nsys.exit(2)\n")
    assert world.run().code == 28
    assert (world.notes / "starts").read_text() == "xxxx"


@pytest.mark.parametrize("code", [3, 4])
def test_an_updating_runner_is_started_again_when_the_update_is_finished(world, code):
    world.dispatch((200, JIT_CLAIM))
    finish = "subprocess.Popen(['sh', '-c', 'sleep 0.4; touch update.finished'])\n"
    again = "note('finished', os.path.exists('update.finished'))\n"
    world.listener(f"if count('starts') == 1:\n    {finish}    sys.exit({code})\n{again}{GOOD}")
    began = time.monotonic()

    assert world.run(update_wait=9).code == 0
    assert 0.4 < time.monotonic() - began < 5
    assert world.note("finished") is False  # it was taken away, as run-helper.sh does


def test_an_update_that_never_finishes_is_waited_for_within_bounds(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("if count('starts') == 1: sys.exit(3)\n" + GOOD)
    assert world.run(update_wait=0.3).code == 0


def test_told_to_end_the_listener_is_asked_gently(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "def end(*_):\n    say('Cancelling the job')\n    note('gentle', True)\n    sys.exit(0)\n"
        "signal.signal(signal.SIGINT, end)\nonline()\ntime.sleep(60)\n"
    )
    world.begin(gentle=9.0)
    world.until(lambda: "/v1/hooks/online" in world.dispatcher.paths())

    world.process.send_signal(signal.SIGTERM)

    ended = world.end(5)
    assert ended.code == 24
    assert world.note("gentle") is True
    assert "Cancelling the job" in ended.out


def test_told_to_end_a_stubborn_listener_is_killed(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\nnote('pid', os.getpid())\nonline()\ntime.sleep(60)\n"
    )
    world.begin()
    world.until(lambda: "/v1/hooks/online" in world.dispatcher.paths())

    world.process.send_signal(signal.SIGTERM)

    assert world.end(5).code == 24
    assert not alive(world.note("pid"))


def test_told_to_end_between_two_starts_there_is_no_next(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("count('starts')\nsys.exit(2)\n")
    world.begin(retry_wait=30.0)
    world.until(lambda: "restart" in (world.folder / "err").read_text())

    world.process.send_signal(signal.SIGTERM)

    assert world.end(5).code == 24
    assert (world.notes / "starts").read_text() == "x"


def test_the_listeners_output_is_passed_on_even_without_a_last_newline(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "sys.stdout.buffer.write(b'caf\\xc3\\xa9 \\xff\\n' + b'y' * 9 + b' the end')\nsys.exit(1)\n"
    )
    ended = world.run()
    assert "café �\nyyyyyyyyy the end\n" in ended.out


def test_diagnostics_are_the_ends_of_plain_files_only(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("sys.exit(1)\n")
    diagnostics, private = world.runner_dir / "_diag", world.folder / "private"
    diagnostics.mkdir()
    private.write_text("not for the log\n")
    (diagnostics / "Worker_1.log").symlink_to(private)
    os.mkfifo(diagnostics / "Worker_2.log")
    (diagnostics / "Runner_1.log").write_text("".join(f"line {number} {'.' * 60}\n" for number in range(999)))

    ended = world.run()

    assert ended.code == 28
    assert "line 998" in ended.out
    assert "line 958" not in ended.out
    assert ended.details("diagnostics") == ["Runner_1.log"]
    assert "not for the log" not in ended.out


def test_orphans_are_reaped(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener(
        "online()\n"
        "orphan = int(subprocess.check_output(['sh', '-c', 'sleep 0.1 >/dev/null & echo $!']))\n"
        "agent = os.getppid()\n"
        "assert f'PPid:\\t{agent}\\n' in open(f'/proc/{orphan}/status').read()\n"
        "deadline = time.monotonic() + 5\n"
        "while os.path.exists(f'/proc/{orphan}') and time.monotonic() < deadline: time.sleep(0.01)\n"
        "note('reaped', not os.path.exists(f'/proc/{orphan}'))\n"
    )
    assert world.run(flags=["subreaper"]).code == 0
    assert world.note("reaped") is True


def test_the_listener_runs_unprivileged_when_the_agent_is_root(world):
    world.python = "/usr/bin/python3" if os.access("/usr/bin/python3.11", os.X_OK) else sys.executable
    world.dispatch((200, JIT_CLAIM))
    world.listener("note('who', [os.getuid(), os.getgid(), os.getgroups()])\n" + GOOD)
    nobody = pwd.getpwnam("nobody")

    assert world.run(user="nobody").code == 0

    env, (uid, gid, groups) = world.note("job_env"), world.note("who")
    if os.getuid() == 0:
        assert (uid, gid, groups) == (nobody.pw_uid, nobody.pw_gid, [nobody.pw_gid])
        assert (env["USER"], env["HOME"]) == ("nobody", nobody.pw_dir)
        assert "RUNNER_ALLOW_RUNASROOT" not in env
    else:
        assert uid == os.getuid()
    assert "/v1/hooks/started" in world.dispatcher.paths()  # the unprivileged hook reached the agent


def test_without_that_user_the_listener_runs_as_the_agent(world):
    world.dispatch((200, JIT_CLAIM))
    world.listener("note('who', os.getuid())\n" + GOOD)
    assert world.run(user="nobody-of-that-name").code == 0
    assert world.note("who") == os.getuid()
    assert world.note("job_env").get("RUNNER_ALLOW_RUNASROOT") == ("1" if os.getuid() == 0 else None)


def alive(pid):
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and ") Z " not in stat.read_text()
