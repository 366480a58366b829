"""`make pins` reads from publishers, all or nothing; `make image` builds from complete pins only.

GitHub is a local server, Docker a stand-in command: the programs run as they are, over HTTP and as processes.
"""

import http.server
import json
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from image_world import PLACE, ROOT
from runner_image import pins

TOOLS = ROOT / "tools"
EMPTY = (PLACE / "pins.toml").read_text()
SHA = "1f" * 32
DIGEST = "sha256:" + "2e" * 32
VALUES = {
    "base.digest": DIGEST,
    "runner.version": "2.337.1",
    "runner.sha256": SHA,
    "docker.engine": "28.2.2-0ubuntu1~24.04.1",
    "docker.buildx": "0.24.0-0ubuntu1~24.04.2",
    "docker.compose": "2.37.1+ds1-0ubuntu2~24.04.1",
}
NAME = "actions-runner-linux-x64-2.337.1.tar.gz"
NOTES = f"- {NAME} <!-- BEGIN SHA linux-x64 -->{SHA}<!-- END SHA linux-x64 -->"
RELEASE = {
    "tag_name": "v2.337.1",
    "body": NOTES,
    "assets": [
        {"name": "actions-runner-win-x64-2.337.1.zip", "digest": f"sha256:{'00' * 32}"},
        {"name": NAME, "digest": f"sha256:{SHA}"},
    ],
}
MANIFEST = {
    "mediaType": "application/vnd.oci.image.index.v1+json",
    "digest": DIGEST,
    "manifests": [{"platform": {"architecture": "amd64", "os": "linux"}}],
}
POLICY = """docker.io:
  Installed: (none)
  Candidate: 28.2.2-0ubuntu1~24.04.1
  Version table:
     28.2.2-0ubuntu1~24.04.1 500
        500 http://archive.example noble-updates/universe amd64 Packages
     24.0.7-0ubuntu4 500
docker-buildx:
  Installed: (none)
  Candidate: 0.24.0-0ubuntu1~24.04.2
  Version table:
docker-compose-v2:
  Installed: (none)
  Candidate: 2.37.1+ds1-0ubuntu2~24.04.1
  Version table:
"""
DOCKER = """#!{python} -IS
import json, sys
with open({log!r}, "a") as log: log.write(json.dumps(sys.argv) + "\\n")
told = json.load(open({told!r}))
for word, (code, out, err) in told.items():
    if word in sys.argv:
        print(out, end=""); print(err, end="", file=sys.stderr); sys.exit(code)
sys.exit("unexpected call")
"""


class Publishers:
    """GitHub as a server, Docker (and fly) as commands; each tells what a test lets it tell."""

    def __init__(self, folder):
        self.folder, self.status, self.release, self.asked = folder, 200, RELEASE, []
        self.docker = {
            "imagetools": (0, json.dumps(MANIFEST), ""),
            "run": (0, POLICY, ""),
            "build": (0, "", ""),
            "push": (0, "", ""),
            "deploy": (0, "", ""),
        }
        (folder / "bin").mkdir()
        self.calls = folder / "calls"
        for name in ("docker", "fly"):
            self.command(name)
        self.place = folder / "repository"
        (self.place / "machines/runner").mkdir(parents=True)
        (self.place / "tools").symlink_to(TOOLS)
        self.file = self.place / "machines/runner/pins.toml"
        self.file.write_text(EMPTY)
        publishers = self

        class GitHub(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                publishers.asked.append((self.path, dict(self.headers)))
                text = publishers.release
                data = (text if isinstance(text, str) else json.dumps(text)).encode()
                self.send_response(publishers.status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), GitHub)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def command(self, name):
        path = self.folder / "bin" / name
        told = str(self.folder / "told.json")
        path.write_text(DOCKER.format(python=sys.executable, log=str(self.calls), told=told))
        path.chmod(0o755)

    def called(self):
        return (
            [json.loads(line) for line in self.calls.read_text().splitlines()] if self.calls.exists() else []
        )

    def run(self, program, *arguments, **env):
        (self.folder / "told.json").write_text(json.dumps(self.docker))
        own = {"PATH": f"{self.folder}/bin", "GITHUB_API_URL": self.url, "NO_PROXY": "127.0.0.1", **env}
        code = f"import sys, pathlib; sys.path.insert(0, {str(TOOLS)!r}); import {program} as p; "
        last = f"sys.exit(p.main({list(arguments)!r}, pathlib.Path({str(self.file)!r})))"
        if program == "read_pins":
            last = f"sys.exit(p.main(pathlib.Path({str(self.file)!r})))"
        return subprocess.run(
            [sys.executable, "-c", code + last], env=own, capture_output=True, text=True, check=False
        )

    def fill(self):
        self.file.write_text(pins.write(EMPTY, VALUES, "2026-11-28T05:30:00Z"))

    def values(self):
        return {name: value for name, value in pins.read(self.file.read_text()).items() if name != "read_at"}


@pytest.fixture
def publishers(tmp_path):
    publishers = Publishers(tmp_path)
    yield publishers
    publishers.server.shutdown()
    publishers.server.server_close()


# ---- The file ----


def test_no_pin_is_in_the_repository_that_was_not_read_from_its_publisher():
    values = pins.read(EMPTY)
    assert set(values) == {pin.name for pin in pins.PINS} | {"read_at"}
    read = [name for name, value in values.items() if value]
    assert read in ([], list(values))  # as `make pins` leaves it: with the time, or not at all


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (("[base]", "[bass]"), "bass.digest is no pin: remove it"),
        (("[base]", "[bass]"), 'base.digest is missing: write digest = ""'),
        (('version = ""', 'version = "latest"'), "runner.version is 'latest', which no publisher wrote"),
        (('sha256 = ""', 'sha256 = "abc"'), "runner.sha256 is 'abc', which no publisher wrote"),
        (('engine = ""', "engine = 28"), "docker.engine is missing"),
        (("[docker]", "docker = 5\n[docker"), "pins.toml is no TOML"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_key_and_what_to_do(change, wrong):
    with pytest.raises(pins.PinsWrong, match=re.escape(wrong)):
        pins.read(EMPTY.replace(*change))


def test_writing_keeps_the_comments_and_every_other_line():
    written = pins.write(EMPTY, VALUES, "2026-11-28T05:30:00Z")
    assert re.sub(r'= ".*"', '= ""', written) == EMPTY
    assert pins.read(written) == {**VALUES, "read_at": "2026-11-28T05:30:00Z"}


@pytest.mark.parametrize("name", VALUES)
def test_nothing_is_written_with_a_value_missing_or_of_another_form(name):
    for value in ("", "x y", 'a"\nb = "c', "0" * 999):
        with pytest.raises(pins.PinsWrong):
            pins.write(EMPTY, {**VALUES, name: value}, "2026-11-28T05:30:00Z")


# ---- make pins ----


def test_all_pins_are_read_from_their_publishers_and_written_with_the_time(publishers):
    done = publishers.run("read_pins")

    assert done.returncode == 0, done.stderr
    assert publishers.values() == VALUES
    assert re.search(
        r'^read_at = "20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"$', publishers.file.read_text(), re.MULTILINE
    )
    assert f"  base.digest     (empty) → {DIGEST}" in done.stdout
    assert publishers.asked[0][0] == "/repos/actions/runner/releases/latest"
    inspect, policy = publishers.called()
    assert inspect[1:] == [
        "buildx",
        "imagetools",
        "inspect",
        "ubuntu:24.04",
        "--format",
        "{{json .Manifest}}",
    ]
    assert f"ubuntu:24.04@{DIGEST}" in policy  # the packages of that very base


def test_what_changed_is_told_and_what_did_not(publishers):
    publishers.fill()
    version = "2.338.0"
    publishers.release = json.loads(json.dumps(RELEASE).replace("2.337.1", version))
    done = publishers.run("read_pins")
    assert f"  runner.version  2.337.1 → {version}" in done.stdout
    assert f"  docker.engine   unchanged, {VALUES['docker.engine']}" in done.stdout


def test_a_token_goes_to_github_and_nowhere_else(publishers):
    done = publishers.run("read_pins", GITHUB_TOKEN="ghs_marker")
    assert publishers.asked[0][1]["Authorization"] == "Bearer ghs_marker"
    assert (
        "ghs_marker" not in done.stdout + done.stderr + str(publishers.called()) + publishers.file.read_text()
    )


def without(key, value):
    return {**RELEASE, key: value}


BROKEN_RELEASES = [
    (without("tag_name", None), "runner.version cannot be read from 'None'"),
    (without("tag_name", "v2.337.1; rm"), "runner.version cannot be read"),
    (without("assets", []), f"has no asset {NAME}"),
    (without("assets", [{"name": NAME, "digest": None}]), "Do not build"),
    ({**RELEASE, "body": "", "assets": [{"name": NAME}]}, "runner.sha256 cannot be read"),
    (without("body", NOTES.replace(SHA, "9" * 64)), "Do not build: ask actions/runner which is right"),
    ("<html>", "answered no JSON. Is GITHUB_API_URL right?"),
    ([], "runner.version cannot be read"),
]


@pytest.mark.parametrize(("release", "said"), BROKEN_RELEASES)
def test_a_release_that_says_too_little_changes_nothing(publishers, release, said):
    publishers.release = release
    done = publishers.run("read_pins")
    assert done.returncode == 1
    assert said in done.stderr
    assert "pins: nothing was changed in pins.toml." in done.stderr
    assert "Traceback" not in done.stderr
    assert publishers.file.read_text() == EMPTY


@pytest.mark.parametrize(
    ("word", "answer", "said"),
    [
        (
            "imagetools",
            (1, "", "ERROR: no such host\n"),
            "failed: ERROR: no such host. Does `docker version` show",
        ),
        ("imagetools", (0, "Name: x", ""), "told no JSON. Update the buildx plugin."),
        ("imagetools", (0, '{"digest": "sha256:12"}', ""), "base.digest cannot be read from 'sha256:12'"),
        (
            "imagetools",
            (0, '{"manifests": [{"platform": {"architecture": "arm64"}}]}', ""),
            "not there for amd64",
        ),
        (
            "run",
            (125, "", "Cannot connect to the Docker daemon\n"),
            "failed: Cannot connect to the Docker daemon",
        ),
        ("run", (0, POLICY.replace("docker-buildx:", "x:"), ""), "docker.buildx cannot be read from ''"),
        (
            "run",
            (0, POLICY.replace("28.2.2-0ubuntu1~24.04.1\n  V", "(none)\n  V"), ""),
            "docker.engine cannot",
        ),
    ],
)
def test_a_registry_or_archive_that_says_too_little_changes_nothing(publishers, word, answer, said):
    publishers.fill()
    before = publishers.file.read_text()
    publishers.docker[word] = answer
    done = publishers.run("read_pins")
    assert done.returncode == 1
    assert said in done.stderr
    assert publishers.file.read_text() == before
    assert [path.name for path in publishers.file.parent.iterdir()] == ["pins.toml"]


def test_without_github_or_without_docker_the_next_step_is_told(publishers):
    refused = publishers.run("read_pins", GITHUB_API_URL="http://127.0.0.1:9")
    assert "ConnectError. Run make pins where GitHub can be reached." in refused.stderr
    publishers.status = 403
    assert "answered 403. GitHub limits callers without a token" in publishers.run("read_pins").stderr
    publishers.status = 200
    alone = publishers.run("read_pins", PATH="/nowhere")
    assert "there is no docker command here. Install Docker, or run make pins where it is" in alone.stderr
    assert publishers.file.read_text() == EMPTY


# ---- make image ----


def test_no_image_is_built_while_a_pin_is_empty(publishers):
    publishers.fill()
    text = publishers.file.read_text()
    for pin in pins.PINS:
        publishers.file.write_text(text.replace(f'{pin.key} = "{VALUES[pin.name]}"', f'{pin.key} = ""'))
        done = publishers.run("build_image")
        assert done.returncode == 1
        assert f"{pin.name} is empty: run make pins where there is internet" in done.stderr
    assert publishers.called() == []


def arguments_of(call):
    return dict(call[at + 1].split("=", 1) for at, word in enumerate(call) if word == "--build-arg")


EXPECTED = {pin.argument: VALUES[pin.name] for pin in pins.PINS}


def test_the_build_is_given_every_pin(publishers):
    publishers.fill()
    assert publishers.run("build_image").returncode == 0
    (call,) = publishers.called()
    assert call[1] == "build"
    assert arguments_of(call) == EXPECTED
    assert call[call.index("--file") + 1] == "machines/runner/Dockerfile"
    assert call[call.index("--platform") + 1] == "linux/amd64"
    assert call[-1] == "."


def test_a_pushed_image_is_told_by_the_digest_that_the_registry_has(publishers):
    publishers.fill()
    done = publishers.run("build_image", "--app", "acme-runners-a")
    assert done.returncode == 0, done.stderr
    build, push, inspect = publishers.called()
    where = "registry.fly.io/acme-runners-a:fly-gha-runner-2.337.1"
    assert build[build.index("--tag") + 1] == where
    assert push[1:] == ["push", where]
    assert where in inspect
    assert f'image = "registry.fly.io/acme-runners-a@{DIGEST}"' in done.stdout


def test_fly_builds_it_where_there_is_no_docker(publishers):
    publishers.fill()
    done = publishers.run("build_image", "--app", "acme-runners-a", "--remote")
    assert done.returncode == 0, done.stderr
    (call,) = publishers.called()
    assert Path(call[0]).name == "fly"
    assert call[1:3] == ["deploy", "."]
    assert {"--build-only", "--push", "--remote-only"} <= set(call)
    assert arguments_of(call) == EXPECTED
    config = ROOT / call[call.index("--config") + 1]
    assert (config.parent / "Dockerfile").exists()
    assert config.name == "fly.toml"


def test_showing_runs_nothing(publishers):
    publishers.fill()
    done = publishers.run("build_image", "--app", "a", "--show")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ["build", "push", "buildx"]
    assert publishers.called() == []


@pytest.mark.parametrize(
    ("word", "answer", "said"),
    [
        ("build", (1, "", "no space left"), "docker build --platform … returned 1: see above"),
        ("push", (1, "", "unauthorized"), "run fly auth docker first (it holds for 5 minutes)"),
        ("imagetools", (0, "{}", ""), "the registry told no digest"),
    ],
)
def test_a_step_that_fails_ends_it_with_the_next_one(publishers, word, answer, said):
    publishers.fill()
    publishers.docker[word] = answer
    done = publishers.run("build_image", "--app", "acme-runners-a")
    assert done.returncode == 1
    assert said in done.stderr
    assert "image = " not in done.stdout
    assert "Traceback" not in done.stderr


def test_make_has_both_as_targets():
    call = ["make", "--dry-run", "--old-file=.venv/.ready", "pins", "image", "ARGS=--app a --show"]
    done = subprocess.run(call, cwd=ROOT, capture_output=True, text=True, check=True)
    commands = [line.split("/")[-1] for line in done.stdout.splitlines() if "tools/" in line]
    assert commands == ["read_pins.py", "build_image.py --app a --show"]
