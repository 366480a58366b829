"""The canary workflow: valid, pinned, without rights; and each of its checks run here, well and badly."""

import json
import os
import re
import shutil
import socketserver
import struct
import subprocess
import sys
import threading
import zipfile

import pytest
import yaml
from cli_world import ROOT
from jsonschema import Draft7Validator

WORKFLOW = ROOT / "runners/cli/init/canary.yml"
TEXT = WORKFLOW.read_text()
# PyYAML reads `on` as true, as YAML 1.1 has it; GitHub does not.
CANARY = yaml.safe_load(re.sub(r"(?m)^on:", '"on":', TEXT))
JOB = CANARY["jobs"]["canary"]
STEPS = {step["name"]: step for step in JOB["steps"]}
SCRIPTS = {name: step for name, step in STEPS.items() if "run" in step}
EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def test_it_is_a_workflow_by_the_published_schema():
    schema = json.loads((ROOT / "tests/data/specs/github-workflow-schema.json").read_text())
    Draft7Validator.check_schema(schema)
    assert [error.message for error in Draft7Validator(schema).iter_errors(CANARY)] == []
    broken = {**CANARY, "jobs": {"canary": {**JOB, "run-on": "x"}}}
    assert list(Draft7Validator(schema).iter_errors(broken))


def test_its_actions_are_those_that_our_own_workflow_pins():
    used = re.findall(r"uses: (\S+ # \S+)", TEXT)
    assert len(used) == 2
    assert used == re.findall(r"uses: (\S+ # \S+)", (ROOT / ".github/workflows/ci.yml").read_text())


def test_it_may_only_read_and_ends_by_itself():
    assert CANARY["permissions"] == {"contents": "read"}
    assert "permissions" not in JOB
    assert JOB["timeout-minutes"] <= 30
    assert STEPS["Checkout"]["with"]["persist-credentials"] is False


def test_it_has_all_that_a_workflow_wants_of_a_runner():
    assert set(CANARY["on"]) == {"workflow_dispatch", "schedule"}
    assert "--health-cmd" in JOB["services"]["redis"]["options"]
    assert any("docker build" in step["run"] for step in SCRIPTS.values())
    assert len([step for step in JOB["steps"] if "uses" in step]) == 2


def test_no_script_holds_an_expression_that_somebody_else_could_fill():
    for name, step in SCRIPTS.items():
        assert not EXPRESSION.search(step["run"]), name


def test_a_check_that_fails_keeps_no_other_from_being_made():
    assert {step["if"] for step in SCRIPTS.values()} == {"${{ !cancelled() }}"}


def test_every_failure_is_one_sentence():
    for step in SCRIPTS.values():
        for said in re.findall(r"::(?:error|warning)::([^\n]*)", step["run"]):
            assert re.search(r'\.["\')]*$', said), said


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_is_free_of_what_a_linter_finds(tmp_path, name):
    step = SCRIPTS[name]
    if step.get("shell") == "python":
        compile(step["run"], name, "exec")
        return
    script = tmp_path / "step.sh"
    # As GitHub runs it: bash --noprofile --norc -eo pipefail.
    script.write_text("#!/usr/bin/env bash\nset -eo pipefail\n" + step["run"])
    linter = shutil.which("shellcheck", path=f"{sys.prefix}/bin")
    assert linter, "shellcheck comes with `make setup`"
    done = subprocess.run([linter, "--severity=style", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_wheel_has_the_workflow(tmp_path):
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert zipfile.ZipFile(wheel).read("runners/cli/init/canary.yml").decode() == TEXT


@pytest.fixture
def run(tmp_path):
    """Run a step as GitHub does, with programs of our own in front of the machine's."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "work").mkdir()

    def step(name, *, programs=None, **env):
        for program, script in (programs or {}).items():
            path = tmp_path / "bin" / program
            path.write_text(f"#!/bin/sh\n{script}\n")
            path.chmod(0o755)
        found = SCRIPTS[name]
        python = found.get("shell") == "python"
        script = tmp_path / ("step.py" if python else "step.sh")
        script.write_text(found["run"])
        shell = [sys.executable] if python else ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
        own = {key: value for key, value in found.get("env", {}).items() if "${{" not in value}
        given = {
            "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(tmp_path),
            "GITHUB_WORKSPACE": str(tmp_path / "work"),
            "RUNNER_TEMP": str(tmp_path / "work"),
            **own,
            **env,
        }
        return subprocess.run(
            [*shell, script], capture_output=True, text=True, check=False, env=given, cwd=tmp_path, timeout=30
        )

    return step


def errors(done):
    return [line for line in done.stdout.splitlines() if line.startswith("::error::")]


def held(done):
    assert done.returncode == 0, done.stdout + done.stderr
    assert not errors(done)
    return done.stdout


def broken(done):
    assert done.returncode == 1, done.stdout + done.stderr
    (said,) = errors(done)
    return said


def test_python_must_be_the_one_that_was_set_up(run):
    name = "The set-up action's Python is the one that runs"
    assert "tool cache: /cache" in held(
        run(name, programs={"python": "echo 3.12 /usr/bin/python"}, RUNNER_TOOL_CACHE="/cache")
    )
    assert "python is 3.9" in broken(run(name, programs={"python": "echo 3.9 /usr/bin/python"}))


def test_what_the_machine_is_is_told_whatever_is_there(run):
    said = held(
        run("What this Machine is", programs={"sudo": "exit 1"}, ImageOS="ubuntu24", ImageVersion="1")
    )
    assert "image: ubuntu24 1" in said
    assert "sudo: none" in said


def test_a_job_that_is_root_fails(run):
    assert "root" in broken(run("The job is not root", programs={"id": "echo 0"}))
    held(run("The job is not root", programs={"id": "echo 1001"}))


def test_a_machine_that_is_used_twice_fails(run, tmp_path):
    name, mark = "No other job ran here before", str(tmp_path / "mark")
    held(run(name, MARK=mark))
    assert "ran on this Machine before" in broken(run(name, MARK=mark))


@pytest.mark.parametrize(("shift", "ends"), [("now", held), ("-2 minutes", broken), ("+2 minutes", broken)])
def test_a_clock_that_is_off_fails(run, shift, ends):
    said = f'LC_ALL=C date -u -d "{shift}" "+%a, %d %b %Y %H:%M:%S GMT"'
    answer = f'printf "HTTP/2 200\\r\\ndate: %s\\r\\n\\r\\n" "$({said})"'
    ends(run("The clock is right", programs={"curl": answer}))


def test_no_way_out_is_said_as_such(run):
    done = run("The clock is right", programs={"curl": "exit 0"})
    assert "no way out" in broken(done)


def test_a_credential_in_the_environment_fails_by_name_and_is_not_shown(run):
    name = "No credential of the fleet is in the job's environment"
    held(run(name, FLY_GHA_URL="x", GITHUB_TOKEN_PATH="y"))
    done = run(name, FLY_API_TOKEN="fm2_value", INFISICAL_CLIENT_SECRET="value")
    assert "FLY_API_TOKEN" in broken(done)
    assert "value" not in done.stdout


def test_a_credential_of_process_1_fails_by_name_and_is_not_shown(run, tmp_path):
    name, environ = "No credential is in the environment of process 1", tmp_path / "environ"
    assert "not readable" in held(run(name, ENVIRON=str(environ)))
    environ.write_bytes(b"FLY_GHA_URL=https://x\0PATH=/bin\0")
    assert "  FLY_GHA_URL\n" in held(run(name, ENVIRON=str(environ)))
    environ.write_bytes(b"FLY_GHA_URL=https://x\0SOME_TOKEN=hidden\0")
    done = run(name, ENVIRON=str(environ))
    assert "SOME_TOKEN" in broken(done)
    assert "hidden" not in done.stdout


def test_flys_socket_is_probed_without_showing_a_token(run, tmp_path):
    name = "Good to know: does the job reach Fly's API socket"
    assert "not there" in held(run(name, API=str(tmp_path / "none")))
    socket_path = str(tmp_path / "api")
    with socketserver.UnixStreamServer(socket_path, socketserver.BaseRequestHandler):
        said = held(run(name, programs={"curl": "printf 200", "sudo": "exit 1"}, API=socket_path))
        assert "::warning::" in said
        silent = {"curl": "printf 000; exit 7", "sudo": "exit 1"}
        said = held(run(name, programs=silent, API=socket_path))
        assert "::warning::" not in said
        assert "HTTP 000" in said
        said = held(run(name, programs={**silent, "sudo": "printf 200"}, API=socket_path))
        assert "::warning::" in said


def test_disks_are_measured_and_a_full_one_fails(run, tmp_path):
    said = held(run("Disks", MEGABYTES="2"))
    assert re.search(r"work disk \(.*\): .*copied", said)
    full = 'case "$1" in -Pm) echo head; echo x x x 100 x x;; esac'
    assert "100 MB left" in broken(run("Disks", MEGABYTES="1", programs={"df": full}))
    assert not list(tmp_path.glob("work/*.dd"))


@pytest.mark.parametrize(
    ("driver", "ends"), [("overlay2", held), ("overlayfs", held), ("fuse-overlayfs", held), ("vfs", broken)]
)
def test_a_storage_driver_that_copies_whole_layers_fails(run, driver, ends):
    name = "Docker keeps its layers on a proper file system"
    ends(run(name, programs={"docker": f"echo {driver}"}))


def test_the_service_container_must_answer(run):
    class Redis(socketserver.StreamRequestHandler):
        answer = b"+PONG\r\n"

        def handle(self):
            if self.rfile.readline() == b"PING\r\n":
                self.wfile.write(self.answer)

    name = "The service container answers on localhost"
    with socketserver.TCPServer(("127.0.0.1", 0), Redis) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = str(server.server_address[1])
        assert "PONG" in held(run(name, PORT=port))
        Redis.answer = b"-ERR\r\n"
        assert "-ERR" in broken(run(name, PORT=port))
        server.shutdown()
    assert "Nobody listens" in broken(run(name, PORT=port))


def test_a_build_that_fails_or_runs_as_another_user_fails(run):
    name = "A real docker build reaches the network and resolves names"
    docker = 'case "$1" in build) cat "$6/Dockerfile" >&2; exit {build};; run) echo {user};; esac'
    done = run(name, programs={"docker": docker.format(build=0, user=10001)})
    held(done)
    lines = done.stderr.splitlines()
    assert lines[0] == "FROM alpine:3"
    assert {"RUN nslookup github.com", "USER 10001"} <= set(lines)
    assert "docker build failed" in broken(run(name, programs={"docker": docker.format(build=1, user=10001)}))
    assert "runs as '0'" in broken(run(name, programs={"docker": docker.format(build=0, user=0)}))


class Names(socketserver.BaseRequestHandler):
    """A name server that knows what its class says."""

    apps = ""
    machines: tuple[str, ...] = ()

    def handle(self):
        data, sock = self.request
        name, at = [], 12
        while data[at]:
            name.append(data[at + 1 : at + 1 + data[at]].decode())
            at += data[at] + 1
        question = data[12 : at + 5]
        values = []
        if ".".join(name) == "_apps.internal":
            values = [(16, bytes([len(self.apps)]) + self.apps.encode())]
        elif name[0] in self.machines:
            values = [(28, b"\xfd\xaa" + bytes(14))]
        records = b"".join(
            b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 5, len(value)) + value for kind, value in values
        )
        head = data[:2] + struct.pack(">HHHHH", 0x8180, 1, len(values), 0, 0)
        sock.sendto(head + question + records, self.client_address)


@pytest.fixture
def name_server():
    with socketserver.UDPServer(("127.0.0.1", 0), Names) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1#{server.server_address[1]}"
        server.shutdown()


def test_other_apps_in_the_private_network_fail(run, name_server):
    name = "The private network has no other app"
    Names.apps, Names.machines = "acme-runners-a,acme-web", ("acme-runners-a",)
    assert "acme-runners-a: 1 Machines" in held(run(name, CANARY_DNS=name_server))
    Names.machines = ("acme-runners-a", "acme-web")
    assert "acme-web" in broken(run(name, CANARY_DNS=name_server))


def test_a_network_that_cannot_be_asked_is_unknown_and_fails_nothing(run):
    name = "The private network has no other app"
    assert "unknown" in held(run(name, CANARY_DNS="127.0.0.1#9"))
