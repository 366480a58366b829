"""fly-gha-status token: made once, shown once, ended at once; refusals with the right exit code."""

import json
import os
import re

import pytest
import typer
from pydantic import SecretStr
from token_world import NOW
from typer.testing import CliRunner

from mcp_server.caller import Scope
from mcp_server.cli.token import app
from mcp_server.identity import TokenIdentity
from mcp_server.refused import Refused
from runners.upstream.clock import SystemClock

TOKEN = re.compile(r"fgs_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.json"


@pytest.fixture
def ask(path):
    def asked(*arguments):
        env = {name: None for name in os.environ if name.startswith("FLY_")}
        env |= {"FLY_GHA_STATUS_TOKENS_FILE": str(path), "COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"}
        result = CliRunner().invoke(app, list(arguments), env=env)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return asked


async def test_a_token_made_here_opens_the_server_until_it_is_revoked(ask, path):
    made = json.loads(ask("create", "--name", "ci", "--days", "1", "--json").stdout)
    credential, now = SecretStr(made["token"]), SystemClock().now()
    identity = TokenIdentity(path)
    caller = await identity.identify(credential, now)
    assert (caller.id, caller.name, caller.project) == (made["id"], "ci", "default")
    assert caller.scopes == {Scope.CAPACITY, Scope.JOBS}
    with pytest.raises(Refused):
        await identity.identify(credential, now + 86_401)

    assert ask("revoke", made["id"]).exit_code == 0
    with pytest.raises(Refused):
        await identity.identify(credential, now)


async def test_every_limit_that_is_asked_for_is_kept(ask, path):
    options = ["--project", "web", "--scope", "usage", "--scope", "stats", "--repository", "acme/*"]
    text = ask("create", *options, "--pool", "gha-small", "--tool", "usage_summary").stdout.strip()
    caller = await TokenIdentity(path).identify(SecretStr(text), NOW)
    assert (caller.project, caller.scopes) == ("web", {Scope.USAGE, Scope.STATS})
    assert (caller.sight.repositories, caller.sight.pools) == (("acme/*",), ("gha-small",))
    assert caller.tools == {"usage_summary"}


def test_the_text_of_a_token_is_shown_once_and_kept_nowhere(ask, path):
    made = ask("create", "--name", "once").stdout.strip()
    assert TOKEN.fullmatch(made)
    secret = made.split("_", 2)[2]
    for listed in (ask("list"), ask("list", "--json")):
        assert listed.exit_code == 0
        assert "once" in listed.stdout
        assert secret not in listed.stdout
    assert all(secret not in file.read_text() for file in path.parent.iterdir())


def test_states_are_listed_in_eighty_columns(ask):
    ended = json.loads(ask("create", "--name", "old", "--json").stdout)["id"]
    ask("revoke", ended)
    ask("create", "--name", "agent", "--days", "90")
    lines = ask("list").stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert [line.split()[-1] for line in lines] == ["state", "revoked", "valid"]


def test_a_list_of_nothing_is_no_error(ask):
    assert ask("list").exit_code == 0
    assert json.loads(ask("list", "--json").stdout) == []


def test_revoking_what_is_not_there_or_already_revoked_is_a_no(ask):
    made = json.loads(ask("create", "--json").stdout)
    assert json.loads(ask("revoke", made["id"], "--json").stdout)["revoked_at"]
    assert ask("revoke", made["id"]).exit_code == 1
    assert ask("revoke", "nobody").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ("create", "--scope", "everything"),
        ("create", "--scope", "read"),
        ("create", "--days", "-1"),
        ("create", "--days", "nan"),
        ("create", "--days", "inf"),
        ("create", "--name", ""),
        ("create", "--project", "a b"),
        ("create", "--repository", "acme"),
        ("create", "--pool", "a,b"),
        ("create", "--tool", "Queue"),
        ("revoke",),
        ("destroy",),
    ],
)
def test_a_wrong_command_is_bad_use_and_leaves_no_token(ask, path, arguments):
    done = ask(*arguments)
    assert done.exit_code == 2
    assert done.stderr.strip()
    assert not path.exists()


@pytest.mark.parametrize("arguments", [("create",), ("list",), ("revoke", "x")])
def test_a_file_that_cannot_be_used_is_unreachable_in_one_sentence(ask, path, arguments):
    ask("create")
    path.chmod(0o644)
    done = ask(*arguments)
    assert done.exit_code == 3
    assert "chmod 600" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_file_may_be_named(ask, tmp_path):
    assert ask("create", "--file", str(tmp_path / "other.json")).exit_code == 0
    assert (tmp_path / "other.json").exists()
    assert ask("create", "--file", str(tmp_path / "none" / "other.json")).exit_code == 3


def test_the_first_token_makes_the_folder_that_is_the_default(tmp_path):
    env = {"FLY_GHA_STATUS_TOKENS_FILE": None, "HOME": str(tmp_path)}
    assert CliRunner().invoke(app, ["create"], env=env).exit_code == 0
    (made,) = tmp_path.rglob("*.json")
    assert made.parent.stat().st_mode & 0o077 == 0
    listed = CliRunner().invoke(app, ["list", "--json"], env=env)
    assert len(json.loads(listed.stdout)) == 1


def test_a_home_that_cannot_be_written_is_unreachable_in_one_sentence(tmp_path):
    (tmp_path / "home").write_text("a file")
    env = {"FLY_GHA_STATUS_TOKENS_FILE": None, "HOME": str(tmp_path / "home")}
    done = CliRunner().invoke(app, ["create"], env=env)
    assert done.exit_code == 3
    assert len(done.stderr.splitlines()) == 1


def test_it_is_a_group_that_the_command_line_can_take_in():
    assert isinstance(app, typer.Typer)


def test_a_tool_that_the_token_could_not_call_is_bad_use(ask, path):
    unknown = ask("create", "--tool", "queue_lst")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert "queue_list" in unknown.stderr
    closed = ask("create", "--tool", "usage_summary")
    assert (closed.exit_code, closed.stdout) == (2, "")
    assert "--scope usage" in closed.stderr
    assert not path.exists()
