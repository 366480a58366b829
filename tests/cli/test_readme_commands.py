"""Every command in README.md and docs/ is run here as it is written; one that is not known here fails."""

import json
import os
import re
import shlex
import shutil
import signal
import stat
import subprocess

import httpx
import pytest
from cli_world import BIN, ROOT, environment, running, stopped, until_line

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
JOB_URL = re.compile(r"https://github\.com/\S+/job/\d+")
# What makes a second dispatcher or publisher stay out of the way of the one that runs.
APART = {"FLY_GHA_FLEET__PORT": "0", "FLY_GHA_FLEET__NAME": "readme"}


def commands():
    """Every line of every shell block, once."""
    lines = [
        line.strip()
        for page in PAGES
        for block in BLOCK.findall(page.read_text())
        for line in block.splitlines()
    ]
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def shell(command, env=None, cwd=ROOT):
    """Run it as a person would, with ``.venv/bin`` in PATH."""
    given = environment({"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", **(env or {})})
    script = ["bash", "-euc", command]
    return subprocess.run(script, capture_output=True, text=True, timeout=60, check=False, env=given, cwd=cwd)


def make(target, *arguments):
    """``make TARGET`` on the environment as it is: it must not be set up anew under running tests."""
    script = ["make", "--old-file=.venv/.ready", target, *arguments]
    return subprocess.run(
        script, capture_output=True, text=True, timeout=100, check=False, env=environment(), cwd=ROOT
    )


def run_make_demo(_world, _folder):
    """The demo itself is run by tests/demo: here, that make starts it and passes its answer on."""
    refused = make("demo", "ARGS=--json /nowhere/at/all.json")
    assert "fly-gha demo: simulated Fly, GitHub and Infisical" in refused.stdout
    assert refused.returncode == 2
    assert "/nowhere/at" in refused.stderr


def run_make_test(_world, _folder):
    """The tests are what runs now: here, that make starts all of them."""
    listed = make("test", "ARGS=--collect-only -q tests/wire")
    assert listed.returncode == 0, listed.stderr
    assert "tests/wire/test_wire_text.py" in listed.stdout
    (command,) = [line for line in make("test", "-n").stdout.splitlines() if "pytest" in line]
    assert " tests" not in command


def run_make_check(_world, _folder):
    """Its parts run for minutes; here, that each is a program that exists."""
    steps = [shlex.split(line) for line in make("check", "-n").stdout.splitlines()]
    programs = [words[0] for words in steps if words[0] != "echo"]
    assert {"ruff", "mypy", "lint-imports"} <= {program.rpartition("/")[2] for program in programs}
    assert all((ROOT / program).exists() for program in programs)


def run_make_setup(_world, _folder):
    """tests/docs/test_setup_script.py has what it does on a new machine."""
    done = make("setup")
    assert done.returncode == 0, done.stderr


def run_make_live(_world, _folder):
    """Without a fleet of one's own it tests nothing and says so."""
    done = make("live")
    assert done.returncode != 0
    assert "nothing was tested: set FLY_GHA_LIVE_CONFIG" in done.stdout + done.stderr


def run_make_docs(_world, _folder):
    """What it would write is what is there."""
    assert make("docs", "-n").stdout.split() == [".venv/bin/python", "tools/generate_docs.py"]


def run_make_help(_world, _folder):
    listed = make("help")
    assert all(
        f"make {target}" in listed.stdout for target in ("setup", "demo", "test", "check", "bench", "docs")
    )


def run_path(_world, _folder):
    done = shell(f"export PATH=/usr/bin:/bin; {PATH_LINE}; command -v fly-gha")
    assert done.returncode == 0
    assert done.stdout.strip() == str(ROOT / ".venv/bin/fly-gha")


def run_install(command):
    def run(_world, folder):
        assert shell(command, cwd=folder).returncode == 0
        made = folder / command.split()[-1]
        assert stat.S_IMODE(made.stat().st_mode) == 0o600

    return run


def run_publish_once(world, _folder):
    done = shell(PUBLISH_ONCE, cwd=world.place.folder)
    assert done.returncode == 0, done.stderr


def run_until_up(command, word):
    """What goes on until it is told to stop: it comes up, and stops well."""

    def run(world, folder):
        path = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONUNBUFFERED": "1"}
        own = {**APART, "FLY_GHA_FLEET__DATABASE_URL": f"sqlite:///{folder}/readme.db"}
        with running(f"exec env {command}", {**path, **own}, cwd=world.place.folder) as process:
            until_line(process, word)
            assert stopped(process) == 0

    return run


def run_publish(world, folder):
    """It goes on without a word while all is fresh: the proof is that it is still there to be stopped."""
    secrets = folder / "publisher.secrets"
    shutil.copy(world.place.publisher_secrets, secrets)
    own = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "FLY_GHA_TIMING__TOKEN_REFRESH_MARGIN": "7200"}
    with running(f"exec env {PUBLISH}", own, cwd=world.place.folder) as process:
        until_line(process, "tokens.renewed")
        assert stopped(process, signal.SIGINT) in (0, 1)


def run_token(command):
    def run(world, folder):
        shutil.copy(world.place.fleet, folder / "fleet.toml")
        assert shell(command, cwd=folder).returncode == 0
        made = folder / command.rpartition("> ")[2].removesuffix(")")
        assert made.read_text().startswith("fgr_")
        assert stat.S_IMODE(made.stat().st_mode) == 0o600

    return run


def run_export(command):
    def run(_world, folder):
        name, _, file = command.removeprefix("export ").partition("=")
        (folder / file).write_text("fgr_")
        assert shell(f'{command}; test -f "${name}"', cwd=folder).returncode == 0

    return run


def run_operating(command, before="true", after="true"):
    """With an operator's token, and back to how it was."""

    def run(world, folder):
        made = shell(f"{OPERATOR_CREATE.replace('operator.token', str(folder / 'operator.token'))}",
                     cwd=world.place.folder)  # fmt: skip
        assert made.returncode == 0, made.stderr
        access = {**world.access, "FLY_GHA_TOKEN_FILE": str(folder / "operator.token")}
        assert shell(before, access, folder).returncode == 0
        done = shell(command, access, folder)
        assert shell(after, access, folder).returncode == 0
        assert done.returncode == 0, done.stderr

    return run


def status_server(world, folder):
    """The environment of fly-gha-status beside the world's dispatcher."""
    token = shell("fly-gha token create --local --scope read", cwd=world.place.folder)
    (folder / "status.token").write_text(token.stdout)
    return {
        "FLY_GHA_STATUS_DISPATCHER_URL": world.place.url,
        "FLY_GHA_STATUS_TOKEN_FILE": str(folder / "status.token"),
        "FLY_GHA_STATUS_TOKENS_FILE": str(folder / "tokens.json"),
        "FLY_GHA_STATUS_AUDIT_DIR": str(folder / "audit"),
        "FLY_GHA_STATUS_PORT": "0",
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "PYTHONUNBUFFERED": "1",
    }


def run_unset(world, folder):
    """With it fly-gha-status does not start; without it, it does."""
    env = {**status_server(world, folder), "FLY_GHA_TOKEN_FILE": "me.token"}
    refused = shell("fly-gha-status", env, folder)
    assert refused.returncode == 2
    assert "FLY_GHA_TOKEN_FILE" in refused.stderr
    with running("unset FLY_GHA_TOKEN_FILE; exec fly-gha-status", env, cwd=folder) as process:
        until_line(process, "status.started")
        assert stopped(process) == 0


def run_status_token(world, folder):
    made = shell(STATUS_TOKEN, status_server(world, folder), folder)
    assert made.stdout.startswith("fgs_"), made.stderr


def run_status_server(world, folder):
    with running("exec fly-gha-status", status_server(world, folder), cwd=folder) as process:
        until_line(process, "status.started")
        assert stopped(process) == 0


def run_audit(command):
    """After one call, which an agent's initialize is not: a request that was turned away is one, too."""

    def run(world, folder):
        env = status_server(world, folder)
        with running("exec fly-gha-status", env, cwd=folder) as process:
            url = json.loads(until_line(process, "status.started"))["url"]
            assert httpx.post(url, json={}, trust_env=False).status_code == 401
            assert stopped(process) == 0
        done = shell(command, env, folder)
        # Nothing of that tool is in the log: the answer is no.
        assert done.returncode == (1 if "--tool" in command else 0), done.stderr

    return run


def run_asking(command):
    def run(world, folder):
        done = shell(JOB_URL.sub(world.job_url, command), world.access, folder)
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()

    return run


def run_init(_world, folder):
    done = shell(INIT, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert {path.name for path in folder.iterdir()} >= {"fleet.toml", "fly-gha-canary.yml", "PERMISSIONS.md"}


def run_doctor(world, _folder):
    """It looks at everything and ends with a verdict; its own tests judge that."""
    done = shell("fly-gha doctor", cwd=world.place.folder)
    assert done.returncode in (0, 1), done.stderr
    assert "ok" in done.stdout


def run_demo(command):
    """Its options are taken; tests/demo/test_demo_variants.py runs the same choice to its end."""

    def run(_world, folder):
        refused = shell(f"{command} --json missing/summary.json", cwd=folder)
        assert refused.returncode == 2
        assert "the folder missing does not exist" in refused.stderr

    return run


PATH_LINE = 'export PATH="$PWD/.venv/bin:$PATH"'
PUBLISH = "FLY_GHA_FLEET__SECRETS_FILE=publisher.secrets fly-gha tokens publish"
PUBLISH_ONCE = f"{PUBLISH} --once"
TOKEN_CREATE = "(umask 077; fly-gha token create --local --name me --days 90 > me.token)"
OPERATOR_CREATE = (
    "(umask 077; fly-gha token create --local --name me --scope read --scope operate "
    "--days 90 > operator.token)"
)
STATUS_CREATE = "(umask 077; fly-gha token create --local --name status --scope read > status.token)"
STATUS_TOKEN = "fly-gha-status token create --name anna-agent --project acme"
INIT = (
    "fly-gha init --org acme --fly-org acme --public-url https://runners.acme.example "
    "--infisical-project 6f1c1a52-8a3b-4d29-a8f0-0a6d0c8a9b11"
)
DEMO = "fly-gha demo --jobs 12 --scale 40 --registration auto --credentials app --stopped 2 --ready 1"
DRAIN = 'fly-gha drain gha-medium --wait --reason "new image" --yes'
SCALE = "fly-gha scale gha-small --max 12 --ready 2"
LOOKS = ("fly-gha jobs", "fly-gha runners", "fly-gha cost --by repo")
EXPORTS = (
    "export FLY_GHA_TOKEN_FILE=me.token",
    "export FLY_GHA_TOKEN_FILE=operator.token",
    "export FLY_GHA_STATUS_TOKEN_FILE=status.token",
)
AUDITS = tuple(f"fly-gha-status audit {each}" for each in ("tail", "query --tool job_explain", "verify"))
WHY = "fly-gha why https://github.com/acme/web/actions/runs/1000/job/2000"
KNOWN = {
    "make setup": run_make_setup,
    "make demo": run_make_demo,
    DEMO: run_demo(DEMO),
    "make test": run_make_test,
    "make check": run_make_check,
    "make live": run_make_live,
    "make docs": run_make_docs,
    "make help": run_make_help,
    PATH_LINE: run_path,
    "install -m 600 /dev/null dispatcher.secrets": run_install("install -m 600 /dev/null dispatcher.secrets"),
    "install -m 600 /dev/null publisher.secrets": run_install("install -m 600 /dev/null publisher.secrets"),
    PUBLISH_ONCE: run_publish_once,
    PUBLISH: run_publish,
    "fly-gha serve --observe": run_until_up("fly-gha serve --observe", "dispatcher.started"),
    "fly-gha serve": run_until_up("fly-gha serve", "dispatcher.started"),
    **{command: run_token(command) for command in (TOKEN_CREATE, OPERATOR_CREATE, STATUS_CREATE)},
    **{command: run_export(command) for command in EXPORTS},
    DRAIN: run_operating(DRAIN, after="fly-gha undrain gha-medium"),
    "fly-gha undrain gha-medium": run_operating(
        "fly-gha undrain gha-medium", before="fly-gha drain gha-medium --yes"
    ),
    SCALE: run_operating(SCALE, after="fly-gha scale gha-small --max default --ready default --yes"),
    "unset FLY_GHA_TOKEN_FILE": run_unset,
    STATUS_TOKEN: run_status_token,
    "fly-gha-status": run_status_server,
    **{command: run_audit(command) for command in AUDITS},
    "fly-gha status": run_asking("fly-gha status"),
    WHY: run_asking(WHY),
    "fly-gha events --limit 20": run_asking("fly-gha events --limit 20"),
    **{command: run_asking(command) for command in LOOKS},
    INIT: run_init,
    "fly-gha doctor": run_doctor,
    # tests/cli/test_cli_serving.py starts it with the world that docs/demo.md shows.
    "fly-gha sim --config world.json": run_asking("fly-gha sim --help"),
}


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_readme_runs(world, tmp_path, command):
    assert command in KNOWN, f"{command!r} is in a shell block and no test runs it: add it here"
    KNOWN[command](world, tmp_path)


def test_every_command_known_here_is_still_in_the_readme_or_docs():
    assert set(KNOWN) == set(commands())
