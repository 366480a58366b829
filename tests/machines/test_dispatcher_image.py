"""The dispatcher's image: what it has is enough to serve, and its settings agree."""

import contextlib
import signal
import socket
import subprocess

import httpx
import pytest

from runners.cli.serve import GRACEFUL_STOP_S
from runners.fleet import STOP_GRACE_S
from runners.fleet_file import load_settings
from runners.model.timing import Timing
from tests.machines.images import DISPATCHER

pytestmark = pytest.mark.xdist_group("images")
COPIED = [
    (["requirements/run.txt"], "/requirements/run.txt"),
    (["fly"], "/app/fly"),
    (["machines/*.py", "machines/*.toml"], "/app/machines/"),
    (["runners"], "/app/runners"),
]
FLEET = """
[fleet]
database_url = "sqlite:///fleet.db"
secrets_file = "dispatcher.secrets"

[github]
credentials = "app"
app_id = "1"

[fly]
image = "registry.fly.io/runner@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

[[pools]]
name = "gha-small"
scope = "orgs/acme"
apps = ["acme-runners"]
"""
NOT_HERE = ("mcp_server", "mcp", "simulator", "pytest")


@pytest.fixture
def image(dispatcher_image):
    (dispatcher_image.folder / "etc/fly-gha/fleet.toml").write_text(FLEET)
    return dispatcher_image


def test_it_copies_the_dispatcher_and_nothing_else():
    assert DISPATCHER.copied == COPIED


def test_the_database_of_a_fleet_file_with_a_plain_name_is_on_the_volume(image):
    made = image.ours("token", "create", "--local", "--name", "me")
    assert made.stdout.startswith("fgr_"), made.stderr
    assert (image.folder / "data/fleet.db").stat().st_mode & 0o777 == 0o600
    (mount,) = DISPATCHER.fly["mounts"]
    assert mount["destination"] == "/data"


def test_its_figures_agree_with_the_settings(tmp_path):
    file = tmp_path / "fleet.toml"
    file.write_text(FLEET)
    settings = load_settings(file, DISPATCHER.environment)
    (exposed,) = DISPATCHER.rests("EXPOSE")
    assert settings.fleet.port == int(exposed)
    assert settings.fleet.host == "0.0.0.0"
    # As `fly-gha init` writes it, for a host of one's own: in the image credentials are Fly's or Infisical's.
    assert settings.fleet.secrets_file is None
    (files,) = DISPATCHER.fly["files"]
    assert files["guest_path"] == DISPATCHER.environment["FLY_GHA_CONFIG"]


def test_fly_waits_longer_for_its_end_than_it_takes():
    grace = GRACEFUL_STOP_S + STOP_GRACE_S + Timing().upstream_deadline
    assert float(DISPATCHER.fly["kill_timeout"].removesuffix("s")) > grace


def test_fly_asks_whether_it_lives_and_not_whether_it_is_ready():
    """One that waits for Infisical must still take webhooks: Fly sends nothing to one whose check fails."""
    (check,) = DISPATCHER.fly["http_service"]["checks"]
    assert check["path"] == "/healthz"


@pytest.mark.parametrize("module", NOT_HERE)
def test_nothing_of_the_status_server_and_of_the_tests_is_there(image, module):
    assert "ModuleNotFoundError" in image.python(f"import {module}").stderr


@contextlib.contextmanager
def serving(image, port):
    process = subprocess.Popen(
        [image.program, "serve"],
        cwd=image.folder,
        env=image.environ(
            FLY_GHA_CONFIG=str(image.folder / "etc/fly-gha/fleet.toml"),
            FLY_GHA_FLEET__HOST="127.0.0.1",
            FLY_GHA_FLEET__PORT=str(port),
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


def test_it_serves_there_takes_no_webhook_it_cannot_check_and_ends_when_told(image):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with serving(image, port) as process:
        for line in process.stderr:
            if "dispatcher.started" in line:
                break
        base = f"http://127.0.0.1:{port}"
        alive = httpx.get(f"{base}/healthz", trust_env=False)
        ready = httpx.get(f"{base}/readyz", trust_env=False)
        page = httpx.get(f"{base}/", trust_env=False, follow_redirects=True)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert alive.status_code == 200
    assert ready.status_code == 503
    assert "credentials" in ready.json()["not_ready"]
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
