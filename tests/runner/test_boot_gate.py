"""The second gate: the started hook decides on the Machine, alone, whether this job may run there."""

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from boot_world import BOOT, JIT_CLAIM, PRELUDE

from machines.runner import boot, hook

HOOK = BOOT.with_name("hook.py")
GATE = {"repositories": ["acme/*"], "workflows": [], "events": [], "private_only": True, "forks": False}
WORKFLOW = "acme/web/.github/workflows/ci.yml"
ENV = {
    "GITHUB_REPOSITORY": "acme/web",
    "GITHUB_WORKFLOW_REF": f"{WORKFLOW}@refs/heads/main",
    "GITHUB_EVENT_NAME": "push",
}
PRIVATE = {"repository": {"full_name": "acme/web", "private": True}}
PUBLIC = {"repository": {"full_name": "acme/web", "private": False}}


def pull(head):
    return {**PRIVATE, "pull_request": {"head": {"ref": "x", "repo": head}}}


def refused(gate, env=(), event=PRIVATE):
    return hook.refusal(gate, {**ENV, **dict(env)}, lambda: event)[0]


@pytest.mark.parametrize(
    ("gate", "env", "event", "kind"),
    [
        ({}, {}, PUBLIC, ""),
        ({"repositories": ["acme/web"]}, {}, PRIVATE, ""),
        ({"repositories": ["acme/*"]}, {}, PRIVATE, ""),
        ({"repositories": ["other/x", "ACME/W*"]}, {}, PRIVATE, ""),
        ({"repositories": ["acme/api"]}, {}, PRIVATE, "repository"),
        ({"repositories": ["*"]}, {"GITHUB_REPOSITORY": ""}, PRIVATE, "repository"),
        ({"workflows": [WORKFLOW]}, {}, PRIVATE, ""),
        ({"workflows": ["*/ci.yml"]}, {}, PRIVATE, ""),
        ({"workflows": ["*/release.yml"]}, {}, PRIVATE, "workflow"),
        ({"workflows": ["*"]}, {"GITHUB_WORKFLOW_REF": ""}, PRIVATE, "workflow"),
        ({"events": ["push", "schedule"]}, {}, PRIVATE, ""),
        ({"events": ["schedule"]}, {}, PRIVATE, "event"),
        ({"events": ["push"]}, {"GITHUB_EVENT_NAME": ""}, PRIVATE, "event"),
        ({"private_only": True}, {}, PRIVATE, ""),
        ({"private_only": True}, {}, PUBLIC, "public"),
        ({"private_only": False}, {}, PUBLIC, ""),
        ({"forks": False}, {}, pull({"full_name": "ACME/web"}), ""),
        ({"forks": False}, {}, pull({"full_name": "stranger/web"}), "fork"),
        ({"forks": False}, {}, pull(None), "fork"),
        ({"forks": True}, {}, pull({"full_name": "stranger/web"}), ""),
    ],
)
def test_each_setting_of_the_pool_refuses_what_it_says_and_nothing_else(gate, env, event, kind):
    assert refused(gate, env, event) == kind


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"repository": None, "pull_request": None},
        {"repository": [], "pull_request": []},
        {"repository": {"private": None}, "pull_request": {"head": None}},
        {"repository": {"private": "no"}, "pull_request": {"head": {}}},
        {"repository": {}, "pull_request": {"head": {"repo": {"full_name": 5}}}},
        {"schedule": "0 4 * * *"},
    ],
)
def test_a_payload_that_does_not_say_so_outright_refuses_nothing(event):
    assert refused({"private_only": True, "forks": False}, event=event) == ""


@pytest.mark.parametrize(
    ("reference", "file"),
    [
        (f"{WORKFLOW}@refs/heads/main", WORKFLOW),
        (f"{WORKFLOW}@refs/heads/a@refs/b", WORKFLOW),
        (f"{WORKFLOW}@x.yml@refs/heads/main", f"{WORKFLOW}@x.yml"),
        (f"{WORKFLOW}@main", WORKFLOW),
        (WORKFLOW, WORKFLOW),
        ("", ""),
    ],
)
def test_no_name_of_a_file_or_branch_passes_one_workflow_off_as_another(reference, file):
    assert hook.workflow_file(reference) == file


def test_the_sentence_in_the_jobs_log_is_one_line_of_plain_text():
    said = hook.annotation("a\n::set-env name=x::y%0A" + "z" * 999)
    assert said.count("\n") == 1
    assert "%0A" not in said.replace("%250A", "")
    assert len(said) < 800


@pytest.mark.parametrize("gate", [None, {}, GATE])
def test_a_claim_may_have_a_gate_or_none(gate):
    claim = boot.read_claim(json.dumps({**JIT_CLAIM, "gate": gate}).encode())
    assert claim.gate == {
        "repositories": [],
        "workflows": [],
        "events": [],
        "private_only": False,
        "forks": True,
        **(gate or {}),
    }
    assert boot.read_claim(json.dumps(JIT_CLAIM).encode()).gate["forks"] is True


@pytest.mark.parametrize(
    "gate",
    [
        [],
        "",
        {"repositories": "acme/*"},
        {"events": [1]},
        {"workflows": None},
        {"private_only": "no"},
        {"forks": None},
    ],
)
def test_a_gate_that_cannot_be_read_is_no_gate_that_lets_everybody_through(gate):
    assert boot.read_claim(json.dumps({**JIT_CLAIM, "gate": gate}).encode()) is None


# The job of a worker as GitHub's: the started hook by bash -e, then a step, unless the hook failed.
GATED_JOB = """
work = os.path.join(os.getcwd(), "_work")
temp = os.path.join(work, "_temp")
os.makedirs(temp, exist_ok=True)
event = os.path.join(temp, "event.json")
open(event, "w").write({payload!r})
env = {{k: v for k, v in os.environ.items() if not k.startswith("ACTIONS_RUNNER_INPUT_")}}
env |= {{**{env!r}, "GITHUB_RUN_ID": "4711", "GITHUB_JOB": "build"}}
env |= {{"GITHUB_EVENT_PATH": event, "RUNNER_TEMP": temp}}
online()
script = env["ACTIONS_RUNNER_HOOK_JOB_STARTED"]
began = time.monotonic()
hook = subprocess.run(["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", script],
                      env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
took = time.monotonic() - began
folder = os.path.dirname(script)
note("gated", {{
    "code": hook.returncode, "log": hook.stdout.decode(), "took": took,
    "mode": os.stat(work).st_mode & 0o777,
    "gate": open(folder + "/gate.json").read(), "owner": os.stat(folder + "/gate.json").st_uid,
    "modes": [os.stat(folder).st_mode, os.stat(folder + "/gate.json").st_mode],
}})
"""


def gated(world, payload, env=(), **dispatcher):
    world.runner_dir.chmod(0o777)
    job = GATED_JOB.format(payload=json.dumps(payload), env={**ENV, **dict(env)})
    (world.runner_dir / "bin" / "Runner.Listener").write_text(
        PRELUDE.format(python=world.python, notes=str(world.notes)) + job
    )
    return world


def test_a_refused_job_fails_in_its_hook_and_its_log_says_why(world):
    world.dispatch((200, {**JIT_CLAIM, "gate": GATE}))
    gated(world, PUBLIC)

    ended = world.run()

    seen = world.note("gated")
    assert ended.code == 0  # a job failed, as jobs do; the Machine did what it should
    assert seen["code"] == 1
    assert seen["log"].startswith("::error title=Refused by fly-gha::The runner's pool refused this job")
    assert "acme/web is public, and the pool serves private repositories (allow_public)" in seen["log"]
    (started,) = world.dispatcher.of("/v1/hooks/started")
    assert started.body == {
        "run_id": 4711, "job": "build", "repository": "acme/web", "workflow": "", "refused": "public",
    }  # fmt: skip
    assert ended.details("refused") == ["the job, by the pool's gate: public"]
    assert ended.details("unfinished") == []  # no completed hook comes of a work folder that is shut
    assert "/v1/hooks/ended" not in world.dispatcher.paths()


def test_no_step_of_a_refused_job_can_begin_since_its_work_folder_is_shut(world):
    world.dispatch((200, {**JIT_CLAIM, "gate": GATE}))
    gated(world, PRIVATE, {"GITHUB_REPOSITORY": "other/web"}).run()
    assert world.note("gated")["mode"] == 0
    (world.runner_dir / "_work").chmod(0o755)


def test_a_job_that_may_run_hears_nothing_of_the_gate(world):
    world.dispatch((200, {**JIT_CLAIM, "gate": GATE}))
    gated(world, pull({"full_name": "acme/web"})).run()
    seen = world.note("gated")
    assert (seen["code"], seen["log"]) == (0, "")
    assert seen["mode"] != 0
    (started,) = world.dispatcher.of("/v1/hooks/started")
    assert "refused" not in started.body


def test_the_gate_holds_in_time_while_the_dispatcher_is_silent(world):
    world.dispatch((200, {**JIT_CLAIM, "gate": GATE})).hang.add("started")
    gated(world, pull({"full_name": "stranger/web"})).run()
    seen = world.note("gated")
    assert seen["code"] == 1
    assert "stranger/web" in seen["log"]
    assert seen["took"] < 2


def test_the_gate_is_the_agents_own_file_that_jobs_may_read_only(world):
    world.dispatch((200, {**JIT_CLAIM, "gate": GATE}))
    gated(world, PRIVATE).run()
    seen = world.note("gated")
    assert json.loads(seen["gate"]) == GATE
    assert seen["owner"] == os.geteuid()
    assert [stat.S_IMODE(mode) for mode in seen["modes"]] == [0o755, 0o644]


def call(folder, env):
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(HOOK), "started", str(folder / "agent.sock")],
        env=env,
        capture_output=True,
        check=False,
    )
    assert time.monotonic() - began < 2
    return done


def test_the_program_refuses_without_any_agent(tmp_path):
    (tmp_path / "gate.json").write_text(json.dumps(GATE))
    done = call(tmp_path, {"GITHUB_REPOSITORY": "other/web"})
    assert done.returncode == 77
    assert b"other/web is not among the repositories that the pool serves (repositories)" in done.stdout


def test_what_the_lists_refuse_is_refused_without_a_look_at_the_payload():
    """A job could make that as large as it likes, or as slow to read."""

    def never():
        raise AssertionError("the payload was read")

    assert hook.refusal(GATE, {**ENV, "GITHUB_REPOSITORY": "other/web"}, never)[0] == "repository"
    assert hook.refusal({"events": ["push"]}, ENV, never) == ("", "")


def test_no_job_passes_the_gate_because_its_payload_takes_long_to_read(tmp_path):
    """A pipe that is filled late stands for many megabytes."""
    (tmp_path / "gate.json").write_text(json.dumps(GATE))
    os.mkfifo(tmp_path / "event.json")
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(HOOK), "started", str(tmp_path / "agent.sock")],
        env={**ENV, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")},
        stdout=subprocess.PIPE,
    ) as program:
        with (tmp_path / "event.json").open("w") as event:  # it waits for the program to read
            with pytest.raises(subprocess.TimeoutExpired):
                program.wait(hook.LIMIT_S + 0.1)
            json.dump(PUBLIC, event)
        said, _ = program.communicate(timeout=10)
    assert program.returncode == 77
    assert b"acme/web is public" in said


@pytest.mark.parametrize("text", ["", "[]", "{" * 9000, '{"repositories": 5}', "\x00"])
def test_a_gate_or_payload_nobody_wrote_that_way_fails_no_job(tmp_path, text):
    (tmp_path / "gate.json").write_text(text)
    (tmp_path / "event.json").write_text(text)
    done = call(tmp_path, {**ENV, "GITHUB_EVENT_PATH": str(tmp_path / "event.json")})
    assert done.returncode != 77
    assert done.stdout == b""


def test_the_hooks_program_loads_only_what_it_needs():
    """It runs on the job's path, before the first step."""
    code = f"import sys; sys.path.insert(0, {str(HOOK.parent)!r}); import hook; print(*sys.modules)"
    loaded = subprocess.check_output([sys.executable, "-I", "-S", "-c", code], text=True).split()
    assert "hook" in loaded
    assert not {"http.client", "ssl", "subprocess", "pathlib", "typing", "threading"} & set(loaded)
    assert {name.partition(".")[0] for name in loaded} - set(sys.stdlib_module_names) <= {"hook", "__main__"}
    assert len(Path(hook.__file__).read_text().splitlines()) < 200
