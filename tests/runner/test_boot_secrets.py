"""No secret of the fleet reaches a command line, the job, the disk or a log; each search is shown to find."""

import subprocess
import sys

import pytest
from boot_world import HOOK_TOKEN, JIT, JIT_CLAIM, SECRETS, TOKEN, TOKEN_CLAIM

# What a Machine's environment may hold, by accident or by design, that a job must not see.
PRIVATE = {
    "FLY_MACHINE_ID": "148e",
    "RUNNER_TOKEN": "x-runner-token",
    "RUNNER_CFG_PAT": "x-pat",
    "ACTIONS_RUNNER_INPUT_TOKEN": "x-input",
    "INFISICAL_CLIENT_SECRET": "x-infisical",
    "GITHUB_TOKEN": "x-github",
}
PUBLIC = {"DOCKER_HOST": "unix:///run/d.sock", "RUNNER_TOOL_CACHE": "/tools", "ImageOS": "fly24", "LANG": "C"}

CONTROL = "planted-control"  # tests that run beside this one plant theirs, too
REGISTRATIONS = pytest.mark.parametrize("claim", [JIT_CLAIM, TOKEN_CLAIM], ids=["jit", "token"])


@REGISTRATIONS
def test_no_command_line_holds_a_secret(world, claim):
    world.dispatch((200, claim))
    scan = "note({!r}, command_lines())\n"
    world.config(scan.format("config_scan"))
    world.listener(scan.format("listener_scan") + "online()\njob()\n" + scan.format("later_scan"))
    planted = [sys.executable, "-c", "input()", CONTROL, str(world.folder), JIT, TOKEN, HOOK_TOKEN]
    control = subprocess.Popen(planted, stdin=subprocess.PIPE)
    try:
        assert world.run().code == 0
    finally:
        control.communicate(b"\n")

    scans = ["listener_scan", "later_scan", *(["config_scan"] if claim is TOKEN_CLAIM else [])]
    for scan in scans:
        lines = world.note(scan)
        assert any("Runner.Listener run" in line or "config.sh" in line for line in lines)
        holding = [line for line in lines if holds_secret(line, world)]
        assert [line for line in holding if str(world.folder) in line and CONTROL in line]  # the search finds
        assert not [line for line in holding if CONTROL not in line]


@REGISTRATIONS
def test_the_jobs_environment_holds_what_is_named_and_no_secret(world, claim):
    world.dispatch((200, claim))
    world.config("note('config', dict(os.environ))\n")
    world.listener("note('listener', dict(os.environ))\nonline()\njob()\n")

    assert world.run({**PRIVATE, **PUBLIC}).code == 0

    env = world.note("job_env")
    assert PUBLIC.items() <= env.items()
    assert not set(PRIVATE) & set(env)
    assert not [name for name in env if name.startswith(("FLY_", "ACTIONS_RUNNER_INPUT"))]
    assert not holds_secret(str(env), world)
    assert holds_secret(str(world.note("listener" if claim is JIT_CLAIM else "config")), world)  # the control


@REGISTRATIONS
def test_no_file_written_by_the_agent_holds_a_secret(world, claim):
    world.dispatch((200, claim))
    world.config("")
    world.listener(
        "online()\n"
        "folder = os.path.dirname(os.environ['ACTIONS_RUNNER_HOOK_JOB_STARTED'])\n"
        "names = [name for name in os.listdir(folder) if name.endswith('.sh')]\n"
        "note('files', {name: open(f'{folder}/{name}').read() for name in names})\n"
    )
    before = contents(world.runner_dir)

    assert world.run().code == 0

    assert contents(world.runner_dir) == before  # the agent put nothing there at all
    files = world.note("files")
    assert sorted(files) == ["completed.sh", "started.sh"]
    assert not holds_secret(str(files), world)
    planted = {**files, "control": f"x{HOOK_TOKEN}x"}
    assert holds_secret(str(planted), world)


@REGISTRATIONS
def test_no_log_holds_a_secret_even_when_the_runner_prints_it(world, claim):
    world.dispatch(
        (401, {"reason": f"Bearer {HOOK_TOKEN}", "what": JIT}), (200, {**claim, "runner": f"r-{TOKEN}"})
    )
    printed = "\n".join(f"marker-{number} {secret} end" for number, secret in enumerate(SECRETS))
    world.config(f"say({printed!r})\n")
    world.listener(f"say({printed!r})\nonline()\nsys.exit(1)\n")
    (world.runner_dir / "_diag").mkdir()
    (world.runner_dir / "_diag" / "Runner_1.log").write_text(f"diag {printed}\nAuthorization: Bearer abc\n")

    ended = world.run()

    assert ended.code == 28
    for number, secret in enumerate(SECRETS):
        assert f"marker-{number} *** end" in ended.out  # printed and masked: the control
        assert secret not in ended.out + ended.err
    assert "diag marker-0 *** end" in ended.out
    assert "Bearer abc" not in ended.out
    assert not holds_secret(ended.out + ended.err, world)


def test_an_unexpected_error_is_reported_by_its_place_without_its_words(world):
    """Words of an exception may quote what was being handled. This host makes the idna codec fail."""
    ended = world.run({"FLY_GHA_URL": "http://a..b"})
    assert ended.code == 29
    assert "unexpected UnicodeError in line" in ended.details("exit")[0]
    assert "codec" not in ended.err


def holds_secret(text, world):
    return any(secret in text for secret in (*SECRETS, *world.fly.tokens))


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
