"""The publisher's image: enough to publish, and where the App key is there is nothing of what serves."""

import json
import re

import pytest

from machines.enter import read_settings
from tests.machines.images import DISPATCHER, PUBLISHER, ROOT

pytestmark = pytest.mark.xdist_group("images")
COPIED = [
    (["requirements/publisher.txt"], "/requirements/publisher.txt"),
    (["fly"], "/app/fly"),
    (["machines/*.py", "machines/*.toml"], "/app/machines/"),
    (["runners/__init__.py", "runners/connections.py", "runners/fleet_file.py"], "/app/runners/"),
    (["runners/cli/*.py"], "/app/runners/cli/"),
    *(
        ([f"runners/{name}"], f"/app/runners/{name}")
        for name in ("github", "model", "secrets", "upstream", "wire")
    ),
]
NOT_HERE = (
    "alembic",
    "fastapi",
    "jinja2",
    "mcp_server",
    "runners.api",
    "runners.control",
    "runners.planning",
    "runners.registration",
    "runners.store",
    "simulator",
    "sqlalchemy",
)
FLEET = """
[fleet]
secrets = "infisical"
secrets_file = "publisher.secrets"

[github]
app_id = "1"

[infisical]
api_url = "http://127.0.0.1:9"
project_id = "p"

[fly]
image = "registry.fly.io/runner@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

[[pools]]
name = "gha-small"
scope = "orgs/acme"
apps = ["acme-runners"]
"""
LOADED = """
import json, sys
import runners.cli.main, runners.cli.tokens, runners.connections
runners.connections.GitHub.load
from runners.github.kit import *
print(json.dumps(sorted(sys.modules)))
"""


@pytest.fixture
def image(publisher_image):
    (publisher_image.folder / "etc/fly-gha/fleet.toml").write_text(FLEET)
    return publisher_image


def test_it_copies_what_publishes_and_nothing_else():
    assert PUBLISHER.copied == COPIED


def test_its_libraries_are_the_dispatchers_and_fewer():
    """One version of each everywhere: what is tested with the one is what runs with the other."""
    blocks = [
        set(re.split(r"\n(?=\S)", place.requirements.read_text().strip()))
        for place in (PUBLISHER, DISPATCHER)
    ]
    assert blocks[0] < blocks[1]


@pytest.mark.parametrize("module", NOT_HERE)
def test_nothing_that_serves_plans_or_keeps_is_there(image, module):
    assert "ModuleNotFoundError" in image.python(f"import {module}").stderr


def test_all_that_publishing_loads_is_there(image):
    done = image.python(LOADED)
    assert done.returncode == 0, done.stderr
    assert {"githubkit", "jwt", "runners.secrets.publisher"} <= set(json.loads(done.stdout))


def test_it_publishes_there_as_far_as_somebody_answers(image):
    (command,) = PUBLISHER.rests("CMD")
    *words, _address = json.loads(command)
    assert words == ["tokens", "publish", "--listen"]
    done = image.ours(*words, "127.0.0.1:0", "--once")
    assert done.returncode == 1, done.stderr
    assert "INFISICAL_CLIENT_ID" in done.stderr


def test_a_verb_of_the_dispatcher_says_that_it_is_not_installed_there(image):
    done = image.ours("serve")
    assert done.returncode == 2
    assert "is not installed" in done.stderr


def test_nobody_can_reach_it_and_it_keeps_nothing():
    assert not {"http_service", "services", "mounts"} & set(PUBLISHER.fly)


def test_fly_checks_where_it_listens_whether_a_token_grows_stale():
    """The check routes nothing, so it may say no; one that decides about routing must not."""
    (check,) = PUBLISHER.fly["checks"].values()
    (command,) = PUBLISHER.rests("CMD")
    assert json.loads(command)[-1] == f"0.0.0.0:{check['port']}"
    assert PUBLISHER.rests("EXPOSE") == [str(check["port"])]
    assert (check["type"], check["path"]) == ("http", "/readyz")


def test_its_own_settings_are_of_the_environment_and_without_a_secret():
    file = ROOT / "machines/publisher/settings.env"
    assert list(read_settings(file)) == []
    assert "FLY_GHA_INFISICAL__IDENTITY_ID" in file.read_text()
