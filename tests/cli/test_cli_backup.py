"""backup and restore as an operator types them: beside a dispatcher that runs, refused where they harm."""

import json
import signal
import socket
import stat

import pytest
from cli_world import BIN, ask, running, stopped, until_line

IMAGE = "registry.fly.io/acme-runners@sha256:" + "a" * 64
POOL = '[[pools]]\nname = "gha-medium"\nscope = "orgs/acme"\napps = ["acme-runners-a"]\n'


@pytest.fixture
def fleet(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    path = tmp_path / "fleet.toml"
    path.write_text(
        f'[fleet]\nname = "acme"\nport = {port}\ndatabase_url = "sqlite:///{tmp_path}/fleet.db"\n\n'
        f'[fly]\nimage = "{IMAGE}"\n\n{POOL}'
    )
    return path


def tokens(fleet):
    listed = ask("token", "list", "--local", "--config", str(fleet), "--json")
    return [each["name"] for each in json.loads(listed.stdout)]


def make_token(fleet, name):
    assert ask("token", "create", "--local", "--config", str(fleet), "--name", name).exit_code == 0


def test_a_backup_of_a_fleet_that_runs_says_what_it_has(world, tmp_path):
    file = tmp_path / "copy"
    done = ask("backup", str(file), "--config", str(world.place.fleet))
    assert done.exit_code == 0, done.stderr
    assert f"Backed up {world.place.folder}/fleet.db to {file}: " in done.stdout.replace("./", "")
    assert " revision " in done.stdout
    assert " events, the newest of " in done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = ask("backup", str(file), "--config", str(world.place.fleet))
    assert again.exit_code == 3
    assert "exists" in again.stderr
    told = json.loads(
        ask("backup", str(tmp_path / "two"), "--config", str(world.place.fleet), "--json").stdout
    )
    assert told["fleet"] == "demo"
    assert told["events"] > 0
    refused = ask("restore", str(file), "--config", str(world.place.fleet), "--yes")
    assert refused.exit_code == 3
    assert "has it open" in refused.stderr
    assert "stop the dispatcher first" in refused.stderr


def test_a_restore_brings_back_what_was_and_keeps_what_is(fleet, tmp_path):
    make_token(fleet, "before")
    assert ask("backup", str(tmp_path / "copy"), "--config", str(fleet)).exit_code == 0
    make_token(fleet, "after")
    unasked = ask("restore", str(tmp_path / "copy"), "--config", str(fleet))
    assert unasked.exit_code == 2
    assert "--yes" in unasked.stderr
    assert tokens(fleet) == ["before", "after"]
    # Nothing waits for the dispatcher's next start that nobody has agreed to.
    assert not (tmp_path / "fleet.db.restore").exists()
    done = ask("restore", str(tmp_path / "copy"), "--config", str(fleet), "--yes")
    assert done.exit_code == 0, done.stderr
    assert f"Restored {tmp_path}/fleet.db from {tmp_path}/copy: " in done.stdout
    assert f"is kept as {tmp_path}/fleet.db.replaced-" in done.stdout
    assert tokens(fleet) == ["before"]
    assert len(list(tmp_path.glob("fleet.db.replaced-*"))) == 1


def test_a_restore_can_wait_for_the_dispatchers_next_start(fleet, tmp_path):
    """On Fly nobody can stop the dispatcher and still run a command beside it."""
    make_token(fleet, "before")
    ask("backup", str(tmp_path / "copy"), "--config", str(fleet))
    make_token(fleet, "after")
    command = [str(BIN / "fly-gha"), "serve", "--config", str(fleet)]
    with running(command, {}) as process:
        until_line(process, "dispatcher.started")
        done = ask("restore", str(tmp_path / "copy"), "--config", str(fleet), "--at-start", "--yes")
        assert done.exit_code == 0, done.stderr
        assert "when the dispatcher starts next" in done.stdout
        assert tokens(fleet) == ["before", "after"]
        assert stopped(process, signal.SIGTERM) == 0
    with running(command, {}) as process:
        until_line(process, "dispatcher.restored")
        until_line(process, "dispatcher.started")
        assert tokens(fleet) == ["before"]
        assert stopped(process, signal.SIGTERM) == 0
    assert not (tmp_path / "fleet.db.restore").exists()


def test_a_database_that_was_restored_by_other_means_is_taken_back_where_it_is(fleet, tmp_path):
    make_token(fleet, "before")
    done = ask("restore", "--here", "--config", str(fleet), "--yes", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {"machines": 0, "runners": 0, "tokens": 0}
    assert tokens(fleet) == ["before"]


@pytest.mark.parametrize("words", [(), ("file", "--here"), ("--here", "--at-start")])
def test_a_restore_names_a_file_or_says_here(fleet, words):
    done = ask("restore", *words, "--config", str(fleet))
    assert done.exit_code == 2
    assert "Name the FILE to restore, or say --here" in done.stderr


def test_postgresql_is_backed_up_and_restored_by_its_own_programs(fleet, tmp_path):
    env = {"FLY_GHA_FLEET__DATABASE_URL": "postgresql://fleet:s3cret@db.internal/fleet"}
    done = ask("backup", str(tmp_path / "copy"), "--config", str(fleet), env=env)
    assert done.exit_code == 2
    assert f"pg_dump --format=custom --file={tmp_path}/copy --dbname=" in done.stderr
    assert "postgresql://fleet@db.internal/fleet" in done.stderr
    back = ask("restore", str(tmp_path / "copy"), "--config", str(fleet), env=env)
    assert back.exit_code == 2
    assert "pg_restore" in back.stderr
    assert "fly-gha restore --here" in back.stderr
    assert "s3cret" not in done.stderr + back.stderr


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@h:port/x", "mysql://u:hunter2@h/x", "hunter2:@"])
@pytest.mark.parametrize(
    "verb",
    [("backup", "x"), ("restore", "x", "--yes"), ("restore", "--here", "--yes"), ("doctor",)],
)
def test_a_database_url_that_is_none_is_told_without_its_password(fleet, tmp_path, url, verb):
    fleet.write_text(fleet.read_text().replace(f"sqlite:///{tmp_path}/fleet.db", url))
    done = ask(*verb, "--config", str(fleet))
    assert done.exit_code == (1 if verb == ("doctor",) else 3), done.output
    assert "sqlite:///PATH or postgresql://USER@HOST/NAME" in " ".join(done.output.split())
    assert "hunter2" not in done.output
