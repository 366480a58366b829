"""token and tokens publish: made once, shown once, ended at once; refusals with the right code."""

import contextlib
import json
import re
import socket
import sys

import httpx
import pytest
from cli_world import ask, running, stopped, until, verb

from tests.planning.builders import IMAGE

TOKEN = re.compile(r"fgr_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")
SMALL = (
    f'[fly]\nimage = "{IMAGE}"\n\n'
    '[[pools]]\nname = "gha-medium"\nscope = "orgs/acme"\napps = ["acme-runners-a"]\n'
)


@pytest.fixture
def fleet(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text(f'[fleet]\ndatabase_url = "sqlite:///{tmp_path}/fleet.db"\n\n{SMALL}')
    return str(path)


def token(fleet, *arguments):
    return ask("token", arguments[0], "--local", "--config", fleet, *arguments[1:])


def test_a_token_made_here_opens_the_dispatcher_until_it_is_revoked(world):
    fleet = str(world.place.fleet)
    made = json.loads(token(fleet, "create", "--name", "ci", "--days", "1", "--json").stdout)
    access = {"FLY_GHA_URL": world.place.url, "FLY_GHA_TOKEN": made["token"]}
    assert ask("status", env=access).exit_code == 0

    assert token(fleet, "revoke", made["id"]).exit_code == 0
    refused = ask("status", env=access)
    assert refused.exit_code == 3
    assert made["token"] not in refused.stderr


def test_a_token_made_or_ended_here_is_an_event_as_over_http(world):
    fleet = str(world.place.fleet)
    made = json.loads(token(fleet, "create", "--pool", "gha-small", "--reason", "ana", "--json").stdout)
    assert token(fleet, "revoke", made["id"]).exit_code == 0
    told = ask("events", "--target", f"token/{made['id']}", "--json", env=world.access).stdout
    begun, ended = [json.loads(line) for line in told.splitlines()]
    assert (begun["actor"], begun["verb"]) == ("local", "token_made")
    assert begun["detail"] == "none -> read, pools gha-small, ends never; said: ana"
    assert (ended["verb"], ended["detail"]) == ("token_revoked", "valid -> revoked; no reason given")


def test_a_token_without_the_scope_read_is_told_so(world):
    made = token(str(world.place.fleet), "create", "--scope", "operate").stdout.strip()
    refused = ask("status", env={"FLY_GHA_URL": world.place.url, "FLY_GHA_TOKEN": made})
    assert refused.exit_code == 3
    assert "scope read" in refused.stderr


def test_a_token_limited_to_a_pool_sees_no_other(world):
    made = token(str(world.place.fleet), "create", "--pool", "gha-small").stdout.strip()
    seen = ask("status", env={"FLY_GHA_URL": world.place.url, "FLY_GHA_TOKEN": made})
    assert "gha-small" in seen.stdout
    assert "gha-medium" not in seen.stdout


def test_the_text_of_a_token_is_shown_once_and_kept_nowhere(fleet, tmp_path):
    made = token(fleet, "create", "--name", "once").stdout.strip()
    assert TOKEN.fullmatch(made)
    secret = made.split("_", 2)[2]
    for listed in (token(fleet, "list"), token(fleet, "list", "--json")):
        assert listed.exit_code == 0
        assert "once" in listed.stdout
        assert secret not in listed.stdout
    assert all(secret.encode() not in file.read_bytes() for file in tmp_path.glob("fleet.db*"))


def test_tokens_are_listed_in_eighty_columns(fleet):
    token(fleet, "create", "--name", "me", "--days", "90", "--scope", "read", "--scope", "operate")
    assert max(len(line) for line in token(fleet, "list").stdout.splitlines()) <= 80


def test_revoking_what_is_not_there_or_already_revoked_is_a_no(fleet):
    made = json.loads(token(fleet, "create", "--json").stdout)
    assert token(fleet, "revoke", made["id"]).exit_code == 0
    assert token(fleet, "revoke", made["id"]).exit_code == 1
    assert token(fleet, "revoke", "nobody").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--scope", "everything"),
        ("create", "--days", "-1"),
        ("create", "--days", "soon"),
        ("create", "--days", "nan"),
        ("create", "--days", "inf"),
        ("create", "--name", ""),
        ("create", "--pool", "gha-larg"),
        ("create", "--repository", "web"),
        ("revoke",),
        ("destroy",),
    ],
)
def test_a_wrong_token_command_is_bad_use(fleet, arguments):
    done = token(fleet, *arguments)
    assert done.exit_code == 2
    assert done.stderr.strip()


def test_a_store_that_cannot_be_opened_is_unreachable(tmp_path):
    for number, url in enumerate(
        (f"sqlite:///{tmp_path}/none/fleet.db", "postgresql://nobody@127.0.0.1:9/none")
    ):
        path = tmp_path / f"{number}.toml"
        path.write_text(f'[fleet]\ndatabase_url = "{url}"\n\n{SMALL}')
        done = token(str(path), "create")
        assert done.exit_code == 3, done.stderr
        assert done.stderr.strip()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (SMALL, "secrets"),
        (f'[fleet]\nsecrets = "infisical"\n\n[infisical]\nproject_id = "p"\n\n{SMALL}', "app_id"),
        ("[fleet\n", "TOML"),
    ],
)
def test_the_publisher_refuses_a_fleet_file_it_cannot_serve(tmp_path, text, named):
    path = tmp_path / "fleet.toml"
    path.write_text(text)
    done = ask("tokens", "publish", "--once", "--config", str(path))
    assert done.exit_code == 2
    assert named in done.stderr


def publish(world, secrets):
    environment = {"FLY_GHA_FLEET__SECRETS_FILE": str(secrets)}
    return verb("tokens", "publish", "--once", "--json", "--config", str(world.place.fleet), env=environment)


def test_a_second_pass_of_the_publisher_keeps_what_is_fresh(world):
    done = publish(world, world.place.publisher_secrets)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert {each["outcome"] for each in answer["tokens"]} == {"kept"}


def test_a_publisher_without_its_key_says_so_and_exits_1(world, tmp_path):
    secrets = tmp_path / "no.secrets"
    secrets.write_text("INFISICAL_CLIENT_ID=nobody\nINFISICAL_CLIENT_SECRET=of-ours\n")
    secrets.chmod(0o644)
    readable = publish(world, secrets)
    assert readable.returncode == 1
    assert "chmod 600" in readable.stderr
    secrets.chmod(0o600)
    refused = publish(world, secrets)
    assert refused.returncode == 1
    assert json.loads(refused.stdout) == {"ok": False, "tokens": []}
    assert "of-ours" not in refused.stdout + refused.stderr


def test_a_publisher_that_goes_on_says_how_it_is_and_takes_a_mended_secret_without_a_restart(world, tmp_path):
    right = world.place.publisher_secrets.read_text()
    secrets = tmp_path / "publisher.secrets"
    secrets.write_text(right.replace("INFISICAL_CLIENT_SECRET=", "INFISICAL_CLIENT_SECRET=not-"))
    secrets.chmod(0o600)
    address = free_address()
    command = [sys.executable, "-m", "runners.cli", "tokens", "publish", "--listen", address]
    command += ["--config", str(world.place.fleet)]

    def ready():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"http://{address}/readyz", trust_env=False)
        return None

    with running(command, {"FLY_GHA_FLEET__SECRETS_FILE": str(secrets)}) as process:
        first = until(lambda: (found := ready()) and "wrong" in found.text and found)
        assert (first.status_code, first.json()["not_ready"]) == (503, ["pass"])
        assert httpx.get(f"http://{address}/healthz", trust_env=False).status_code == 200
        secrets.write_text(right)
        mended = until(lambda: (found := ready()) and found.is_success and found).json()
        names = [check["name"] for check in mended["checks"]]
        assert names == ["pass", "GITHUB_INSTALLATION_TOKEN_ACME", "GITHUB_REGISTRATION_TOKEN_ACME"]
        assert all(check["detail"].endswith(" s left") for check in mended["checks"][1:])
        assert stopped(process) == 0


def test_an_address_that_cannot_be_listened_on_is_said_before_anything_runs(world):
    taken = socket.create_server(("127.0.0.1", 0))
    busy = f"127.0.0.1:{taken.getsockname()[1]}"
    for address, code in (("8081", 2), ("host:99999", 2), (busy, 3)):
        done = ask("tokens", "publish", "--listen", address, "--config", str(world.place.fleet))
        assert (done.exit_code, address in done.stderr) == (code, True)
    taken.close()


def free_address():
    with socket.create_server(("127.0.0.1", 0)) as held:
        return f"127.0.0.1:{held.getsockname()[1]}"
