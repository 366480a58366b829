"""The image of fly-gha-status: what is in it, to the file, and that this much is enough to run it.

No container is built here. The Dockerfile is read instead: a tree of exactly what it copies runs in an
environment of exactly what requirements/status.txt locks.
"""

import contextlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import tomllib
import venv
from pathlib import Path

import httpx
import pytest
from packaging.requirements import Requirement

from mcp_server.cli.serving import GRACE_S
from mcp_server.credentials import found
from mcp_server.settings import StatusSettings

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "machines/status"
LOCK = ROOT / "requirements/status.txt"
COPIED = ["mcp_server", "runners/__init__.py", "runners/upstream", "runners/wire"]
OF_THE_DISPATCHER = {
    "alembic",
    "asyncio_throttle",
    "asyncpg",
    "fastapi",
    "fly",
    "githubkit",
    "hishel",
    "jinja2",
    "machines",
    "prometheus_client",
    "simulator",
    "sqlalchemy",
}
OWN = "fgr_abcdefgh_" + "A" * 43
BARE = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
OURS_ALLOWED = re.compile(r"runners(\.(wire|upstream)(\..+)?)?")
# Imports every module there is, and tells what that brought in.
LOADER = """
import importlib, json, pkgutil, sys
import mcp_server, runners.upstream, runners.wire
for package in (mcp_server, runners.upstream, runners.wire):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
print(json.dumps(sorted(sys.modules)))
"""


def instructions():
    """(word, rest) of each instruction, continued lines joined."""
    text = re.sub(r"^\s*#.*\n", "", (PLACE / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [tuple(line.strip().split(None, 1)) for line in lines if line.strip()]


def copied():
    """(sources, destination) of what is copied from the repository."""
    rests = [rest.split() for word, rest in instructions() if word == "COPY" and "--from=" not in rest]
    return [(rest[:-1], rest[-1]) for rest in rests]


def environment():
    rest = " ".join(rest for word, rest in instructions() if word == "ENV")
    return dict(pair.split("=", 1) for pair in rest.split())


def fly():
    return tomllib.loads((PLACE / "fly.toml").read_text())


def test_it_copies_this_server_and_what_it_may_import_of_ours_and_nothing_else():
    assert copied() == [
        (["requirements/status.txt"], "/requirements/status.txt"),
        *(([source], f"/app/{source}") for source in COPIED),
    ]
    assert {word for word, _ in instructions()} <= {
        "ARG", "FROM", "COPY", "RUN", "ENV", "EXPOSE", "WORKDIR", "USER", "ENTRYPOINT",
    }  # fmt: skip
    assert all(source.exists() for paths, _ in copied() for source in map(ROOT.joinpath, paths))


def test_nothing_else_is_even_sent_to_the_builder():
    lines = (PLACE / "Dockerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert rules[-1] == "**/__pycache__"
    assert sorted(rules[1:-1]) == sorted(f"!{source}" for paths, _ in copied() for source in paths)
    assert fly()["build"] == {"dockerfile": "Dockerfile", "ignorefile": "Dockerfile.dockerignore"}


def test_the_base_image_is_a_digest_that_whoever_builds_has_to_name():
    bases = [rest for word, rest in instructions() if word == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.11-\S+@\$\{PYTHON_DIGEST\}( AS \w+)?", base) for base in bases)
    assert [rest for word, rest in instructions() if word == "ARG"] == ["PYTHON_DIGEST"]
    for file in PLACE.iterdir():
        assert not re.search(r"sha256:[0-9a-f]{64}", file.read_text())


def test_the_libraries_are_wheels_of_the_lock_with_their_hashes():
    (install,) = [rest for word, rest in instructions() if word == "RUN" and "install --no-cache" in rest]
    for option in ("--require-hashes", "--no-deps", "--only-binary :all:"):
        assert option in install
    assert install.count("--requirement") == 1
    assert install.endswith("--requirement /requirements/status.txt")
    locked = re.split(r"\n(?=\S)", LOCK.read_text().strip())
    assert all("--hash=sha256:" in each for each in locked)


def test_it_runs_as_a_user_who_is_not_root():
    user = [rest for word, rest in instructions() if word == "USER"]
    assert user == ["status"]
    words = [word for word, _ in instructions()]
    assert words[-2:] == ["USER", "ENTRYPOINT"]
    assert any("useradd --uid 10001" in rest for word, rest in instructions() if word == "RUN")


def test_what_is_kept_is_on_the_volume():
    mounts = fly()["mounts"]
    assert [mount["destination"] for mount in mounts] == ["/data"]
    for name in ("FLY_GHA_STATUS_AUDIT_DIR", "FLY_GHA_STATUS_TOKENS_FILE"):
        assert environment()[name].startswith("/data/")


def test_neither_image_nor_app_has_a_credential_in_its_environment():
    assert found(environment()) == ()
    assert found(fly()["env"]) == ()
    names = set(environment()) | set(fly()["env"])
    assert not {name for name in names if name.endswith(("_TOKEN", "_KEY", "_SECRET"))}
    assert "args" not in fly()["build"]


def test_its_figures_agree_with_the_settings(monkeypatch):
    given = {**environment(), **fly()["env"]}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = StatusSettings()
    known = {f"FLY_GHA_STATUS_{name.upper()}" for name in StatusSettings.model_fields}
    assert {name for name in given if name.startswith("FLY_GHA_")} <= known
    service = fly()["http_service"]
    (exposed,) = [int(rest) for word, rest in instructions() if word == "EXPOSE"]
    assert {settings.port, service["internal_port"], exposed} == {settings.port}
    (check,) = service["checks"]
    assert check["path"] == "/healthz"
    assert float(check["timeout"].removesuffix("s")) > settings.health_timeout_s
    assert float(fly()["kill_timeout"].removesuffix("s")) > GRACE_S > settings.call_timeout_s
    assert settings.public_hosts == (f"{fly()['app']}.fly.dev",)


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """What the image has under /app and /venv."""
    folder = tmp_path_factory.mktemp("status-image")
    app = folder / "app"
    ignored = shutil.ignore_patterns("__pycache__")
    for source in COPIED:
        target = app / source
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=ignored)
        else:
            shutil.copy(ROOT / source, target)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (site,) = (folder / "venv/lib").glob("python*/site-packages")
    for requirement in locked_here():
        install(requirement, site)
    # The Dockerfile's own last step, with the folders of this test.
    (last,) = [rest for word, rest in instructions() if word == "RUN" and "printf" in rest]
    command = re.sub(r"(?<=[ !])/(venv|app)\b", rf"{folder}/\1", last)
    path = f"{folder}/venv/bin:{os.environ['PATH']}"
    subprocess.run(["sh", "-ec", command], check=True, env={"PATH": path}, timeout=60)
    return folder


def locked_here():
    """The requirements of the lock that this platform wants."""
    text = re.sub(r"\\\n\s*--hash=\S+", "", LOCK.read_text())
    named = [Requirement(line.rstrip(" \\")) for line in text.splitlines() if line and line[0] != "#"]
    return [each for each in named if each.marker is None or each.marker.evaluate()]


def install(requirement, site):
    """Link an installed distribution into ``site``; it has to be the very version that the lock names."""
    distribution = importlib.metadata.distribution(requirement.name)
    assert requirement.specifier.contains(distribution.version, prereleases=True), requirement
    for file in distribution.files:
        if ".." in file.parts or "__pycache__" in file.parts:
            continue
        target = site / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            target.symlink_to(distribution.locate_file(file))


def inside(image, program, *arguments):
    """A command in the image: an environment with nothing of this process's but a path."""
    return subprocess.run(
        [image / "venv/bin" / program, *arguments],
        cwd=image,
        env={**BARE, "HOME": str(image)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_environment_has_what_the_lock_names_and_no_more(image):
    script = "import importlib.metadata as m, json; print(json.dumps([d.name for d in m.distributions()]))"
    names = {
        re.sub(r"[-_.]+", "-", name).lower()
        for name in json.loads(inside(image, "python", "-c", script).stdout)
    }
    assert names == {"fly-gha"} | {re.sub(r"[-_.]+", "-", each.name).lower() for each in locked_here()}


def test_it_knows_the_version_of_this_repository(image):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    script = f"import importlib.metadata as m; print(m.version({project['name']!r}))"
    assert inside(image, "python", "-c", script).stdout.strip() == project["version"]


@pytest.mark.parametrize("module", sorted(OF_THE_DISPATCHER))
def test_nothing_of_the_dispatcher_can_be_imported_there(image, module):
    assert "ModuleNotFoundError" in inside(image, "python", "-c", f"import {module}").stderr


def test_every_module_of_the_server_loads_there_and_brings_nothing_of_the_dispatcher(image):
    done = inside(image, "python", "-c", LOADER)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "mcp_server.checkpoint" in loaded
    assert not {name.partition(".")[0] for name in loaded} & OF_THE_DISPATCHER
    assert [
        name for name in loaded if name.split(".")[0] == "runners" and not OURS_ALLOWED.fullmatch(name)
    ] == []


def test_its_command_starts_there(image):
    (entry,) = [rest for word, rest in instructions() if word == "ENTRYPOINT"]
    assert json.loads(entry) == ["/venv/bin/fly-gha-status"]
    help_ = inside(image, "fly-gha-status", "--help")
    assert help_.returncode == 0, help_.stderr
    made = inside(image, "fly-gha-status", "token", "create", "--file", str(image / "tokens.json"))
    assert made.stdout.startswith("fgs_"), made.stderr


@contextlib.contextmanager
def server(image, **extra):
    """The server as the image runs it, with nobody at the dispatcher's address; it tells every import."""
    process = subprocess.Popen(
        [image / "venv/bin/python", "-X", "importtime", image / "venv/bin/fly-gha-status"],
        cwd=image,
        env={
            **BARE,
            "HOME": str(image),
            "FLY_GHA_STATUS_PORT": "0",
            "FLY_GHA_STATUS_DISPATCHER_URL": "http://127.0.0.1:9",
            "FLY_GHA_STATUS_AUDIT_DIR": str(image / "audit"),
            "FLY_GHA_STATUS_TOKENS_FILE": str(image / "tokens.json"),
            "FLY_GHA_STATUS_TOKEN": OWN,
            **extra,
        },
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def test_the_running_server_loads_nothing_of_the_dispatcher_and_tells_how_it_is(image):
    said = []
    with server(image) as process:
        for line in process.stderr:
            said.append(line)
            if "status.started" in line:
                break
        started = re.search(r"http://127\.0\.0\.1:\d+", said[-1])
        assert started, "".join(said[-5:])
        health = httpx.get(f"{started[0]}/healthz", trust_env=False)
        asked = httpx.post(f"{started[0]}/mcp", json={}, trust_env=False)
        process.send_signal(signal.SIGTERM)
        said += process.stderr.readlines()
        assert process.wait(timeout=30) == 0, "".join(said[-5:])
    assert health.json()["status"] in ("degraded", "down")
    assert "dispatcher" in health.json()["wrong"]
    assert asked.status_code == 401
    loaded = {line.rpartition("|")[2].strip() for line in said if line.startswith("import time:")}
    assert {"mcp", "mcp_server.checkpoint", "runners.wire.status"} <= loaded
    assert not {name.partition(".")[0] for name in loaded} & OF_THE_DISPATCHER
    assert not [name for name in loaded if name.startswith("runners") and not OURS_ALLOWED.fullmatch(name)]


def test_the_server_does_not_start_there_with_a_credential(image):
    with server(image, FLY_API_TOKEN="FlyV1 fm2_nothing") as process:
        said = process.stderr.read()
        assert process.wait(timeout=30) == 2
    assert "FLY_API_TOKEN" in said
    assert "fm2_nothing" not in said
