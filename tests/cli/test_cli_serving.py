"""serve, sim and the program itself: they start, stop, and say what is wrong in a line."""

import hmac
import json
import re
import socket
import sys
import uuid
from pathlib import Path

import httpx
import pytest
from cli_world import ROOT, ask, running, stopped, until, until_line, verb

from runners.cli.main import app
from tests.planning.builders import IMAGE

SERVE = [sys.executable, "-m", "runners.cli", "serve"]
POOL = (
    f'[fly]\nimage = "{IMAGE}"\n\n'
    '[[pools]]\nname = "gha-medium"\nscope = "orgs/acme"\napps = ["acme-runners-a"]\n'
)


def world_of_the_docs(folder: Path, public_key: str) -> Path:
    """The world that docs/demo.md shows, with a key that is one."""
    text = re.search(r"```json\n(.*?)```", (ROOT / "docs/demo.md").read_text(), re.DOTALL)[1]
    world = json.loads(text)
    world["github"]["app_public_key"] = public_key
    path = folder / "world.json"
    path.write_text(json.dumps(world))
    return path


def test_every_mistake_of_a_fleet_file_is_named_with_key_and_expectation(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[fleet]\nport = "high"\ncolour = 1\n\n[timing]\nidle_timeout = -1\n\n{POOL}max_machines = -3\n'
    )
    for arguments in (("serve",), ("token", "create", "--local"), ("tokens", "publish", "--once")):
        done = ask(*arguments, "--config", str(path))
        assert done.exit_code == 2
        for key in ("fleet.port", "fleet.colour", "timing.idle_timeout", "pools.0.max_machines"):
            assert any(
                key in line and "found" in line and "expected" in line for line in done.stderr.splitlines()
            )


def test_a_fleet_file_that_is_not_there_is_bad_use(tmp_path):
    done = ask("serve", "--config", str(tmp_path / "none.toml"))
    assert done.exit_code == 2
    assert "none.toml" in done.stderr
    assert ask("serve", "--log-level", "loud", "--config", str(tmp_path / "none.toml")).exit_code == 2


def test_a_port_in_use_is_told_before_anything_starts(tmp_path):
    path = tmp_path / "fleet.toml"
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        path.write_text(f'[fleet]\nport = {port}\ndatabase_url = "sqlite:///{tmp_path}/fleet.db"\n\n{POOL}')
        done = verb("serve", "--config", str(path))
    assert done.returncode == 3
    assert str(port) in done.stderr
    assert not (tmp_path / "fleet.db").exists()


@pytest.mark.parametrize(
    "url",
    ["sqlite:///{folder}/none/fleet.db", "sqlite:///{folder}/fleet.toml", "postgresql://u@127.0.0.1:1/x"],
)
def test_a_store_that_cannot_be_opened_ends_serve_with_one_sentence(tmp_path, url):
    """No folder, a file that is no database, no server: what it says is no traceback, see verb()."""
    path = tmp_path / "fleet.toml"
    path.write_text(f'[fleet]\nport = 0\ndatabase_url = "{url.format(folder=tmp_path)}"\n\n{POOL}')
    done = verb("serve", "--config", str(path))
    assert done.returncode == 3
    assert "Next: check that" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def signed(world, body):
    """A delivery as GitHub signs it."""
    secret = json.loads(world.place.world.read_text())["github"]["webhook_secret"]
    data = json.dumps(body).encode()
    digest = hmac.new(secret.encode(), data, "sha256").hexdigest()
    headers = {"X-GitHub-Event": "workflow_job", "X-Hub-Signature-256": f"sha256={digest}"}
    return data, {**headers, "X-GitHub-Delivery": str(uuid.uuid4()), "Content-Type": "application/json"}


def queued_job():
    """A recorded delivery, for a private repository and a pool of this fleet."""
    body = json.loads((ROOT / "tests/data/webhooks/workflow_job/queued.json").read_text())
    body["workflow_job"]["labels"] = ["fly-gha-medium"]
    body["repository"] |= {"full_name": "acme/web", "private": True}
    body["repository"]["owner"]["login"] = "acme"
    return body


def test_observe_takes_a_queued_job_explains_it_and_touches_nothing(world, tmp_path):
    """A dispatcher of its own beside the one that runs, with the same simulators."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = {
        "FLY_GHA_FLEET__NAME": "watching",
        "FLY_GHA_FLEET__PORT": str(port),
        "FLY_GHA_FLEET__DATABASE_URL": f"sqlite:///{tmp_path}/fleet.db",
    }
    fleet = str(world.place.fleet)
    made = ask("token", "create", "--local", "--config", fleet, env=own).stdout.strip()
    access = {"FLY_GHA_URL": f"http://127.0.0.1:{port}", "FLY_GHA_TOKEN": made}
    with running([*SERVE, "--observe", "--config", fleet], {**own, "PYTHONUNBUFFERED": "1"}) as watching:
        until_line(watching, "dispatcher.started")
        data, headers = signed(world, queued_job())
        taken = httpx.post(
            f"{access['FLY_GHA_URL']}/webhooks/github", content=data, headers=headers, trust_env=False
        )
        assert taken.status_code == 202
        assert taken.json()["accepted"], taken.json()
        explained = until(
            lambda: json.loads(ask("why", str(taken.json()["job_id"]), "--json", env=access).stdout)["why"]
        )
        assert explained["text"]
        assert stopped(watching) == 0
    fly = json.loads(world.place.world.read_text())["ports"]["fly"]
    entries = httpx.get(f"http://127.0.0.1:{fly}/_sim/journal", trust_env=False).json()["entries"]
    assert [entry for entry in entries if entry["kind"] == "machine_created"]
    assert not [entry for entry in entries if "watching" in json.dumps(entry)]


def test_the_simulators_serve_the_world_of_the_docs_until_told_to_stop(world, tmp_path):
    key = json.loads(world.place.world.read_text())["github"]["app_public_key"]
    path = world_of_the_docs(tmp_path, key)
    with running([sys.executable, "-m", "runners.cli", "sim", "--config", str(path)], {}) as sim:
        urls = json.loads(until_line(sim, "{"))
        for name in ("fly", "github", "infisical"):
            assert httpx.get(f"{urls[name]}/_sim/journal", trust_env=False).json()["entries"] is not None
        assert stopped(sim) == 0


@pytest.mark.parametrize("text", ["", "[]", "{", '{"seed": "x"}', '{"colour": 1}'])
def test_a_world_that_is_none_is_bad_use(tmp_path, text):
    path = tmp_path / "world.json"
    path.write_text(text)
    done = verb("sim", "--config", str(path))
    assert done.returncode == 2
    assert done.stderr.strip()


def test_a_world_file_that_is_not_there_is_bad_use(tmp_path):
    assert verb("sim", "--config", str(tmp_path / "none.json")).returncode == 2


def test_simulators_that_cannot_have_their_port_say_so(tmp_path):
    path = world_of_the_docs(tmp_path, "none")
    world = json.loads(path.read_text())
    with socket.create_server(("127.0.0.1", 0)) as held:
        world["ports"]["fly"] = held.getsockname()[1]
        path.write_text(json.dumps(world))
        done = verb("sim", "--config", str(path))
    assert done.returncode == 3
    assert "cannot listen" in done.stderr


@pytest.mark.parametrize("arguments", [("dance",), ("status", "extra"), ("--colour",), ("token",), ("why",)])
def test_what_is_no_verb_or_option_is_bad_use(arguments):
    assert ask(*arguments).exit_code == 2


def test_every_verb_has_help_in_eighty_columns():
    for name in ("", *(command.name or command.callback.__name__ for command in app.registered_commands)):
        done = ask(*filter(None, (name,)), "--help")
        assert done.exit_code == 0
        assert max(len(line) for line in done.stdout.splitlines()) <= 80
