"""The image of fly-gha-status: what is in it, to the file, and that this much is enough to run it.

What holds for every service's image is in test_service_images.py.
"""

import contextlib
import json
import re
import signal
import subprocess
import tomllib

import httpx
import pytest

from machines.enter import read_settings
from mcp_server.cli.serving import GRACE_S
from mcp_server.credentials import found
from mcp_server.settings import StatusSettings
from tests.machines.images import ROOT, STATUS

pytestmark = pytest.mark.xdist_group("images")
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


@pytest.fixture
def image(status_image):
    return status_image


def settings_file():
    (file,) = STATUS.fly["files"]
    return dict(read_settings(ROOT / file["local_path"]))


def test_it_copies_this_server_and_what_it_may_import_of_ours_and_nothing_else():
    assert STATUS.copied == [
        (["requirements/status.txt"], "/requirements/status.txt"),
        (["machines/enter.py"], "/app/enter.py"),
        *(([source], f"/app/{source}") for source in COPIED),
    ]


def test_what_is_kept_is_on_the_volume():
    mounts = STATUS.fly["mounts"]
    assert [mount["destination"] for mount in mounts] == ["/data"]
    for name in ("FLY_GHA_STATUS_AUDIT_DIR", "FLY_GHA_STATUS_TOKENS_FILE"):
        assert STATUS.environment[name].startswith("/data/")


def test_its_settings_file_has_no_credential():
    assert found(settings_file()) == ()
    assert not {name for name in settings_file() if name.endswith(("_TOKEN", "_KEY", "_SECRET"))}


def test_its_figures_agree_with_the_settings(monkeypatch):
    given = {**STATUS.environment, **settings_file()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    settings = StatusSettings()
    known = {f"FLY_GHA_STATUS_{name.upper()}" for name in StatusSettings.model_fields}
    assert {name for name in given if name.startswith("FLY_GHA_")} <= known
    fly = STATUS.fly
    assert settings.port == fly["http_service"]["internal_port"]
    (check,) = fly["http_service"]["checks"]
    assert check["path"] == "/healthz"
    assert float(check["timeout"].removesuffix("s")) > settings.health_timeout_s
    assert float(fly["kill_timeout"].removesuffix("s")) > GRACE_S > settings.call_timeout_s
    assert settings.public_hosts == (f"{fly['app']}.fly.dev",)


def test_it_knows_the_version_of_this_repository(image):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    script = f"import importlib.metadata as m; print(m.version({project['name']!r}))"
    assert image.python(script).stdout.strip() == project["version"]


@pytest.mark.parametrize("module", sorted(OF_THE_DISPATCHER))
def test_nothing_of_the_dispatcher_can_be_imported_there(image, module):
    assert "ModuleNotFoundError" in image.python(f"import {module}").stderr


def test_every_module_of_the_server_loads_there_and_brings_nothing_of_the_dispatcher(image):
    done = image.python(LOADER)
    assert done.returncode == 0, done.stderr
    loaded = set(json.loads(done.stdout))
    assert "mcp_server.checkpoint" in loaded
    assert not {name.partition(".")[0] for name in loaded} & OF_THE_DISPATCHER
    assert [
        name for name in loaded if name.split(".")[0] == "runners" and not OURS_ALLOWED.fullmatch(name)
    ] == []


def test_its_command_starts_there(image):
    help_ = image.ours("--help")
    assert help_.returncode == 0, help_.stderr
    made = image.ours("token", "create", "--file", str(image.folder / "tokens.json"))
    assert made.stdout.startswith("fgs_"), made.stderr


@contextlib.contextmanager
def server(image, **extra):
    """The server as the image runs it, with nobody at the dispatcher's address; it tells every import."""
    (image.folder / "etc/fly-gha/settings.env").write_text(
        "FLY_GHA_STATUS_DISPATCHER_URL=http://127.0.0.1:9\n"
    )
    process = subprocess.Popen(
        image.command("-X", "importtime"),
        cwd=image.folder,
        env=image.environ(
            FLY_GHA_STATUS_HOST="127.0.0.1", FLY_GHA_STATUS_PORT="0", FLY_GHA_STATUS_TOKEN=OWN, **extra
        ),
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
