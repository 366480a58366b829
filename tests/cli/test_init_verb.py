"""fly-gha init as somebody meets it: mistakes, questions, files that are there, and what it says."""

import json
import os
import re
import tomllib

import pytest
from cli_world import ROOT, ask
from terminal import COLUMNS, Terminal

from runners.cli.init import canary
from runners.cli.init.files import NewFile, write
from runners.fleet_file import load_settings

GOLDEN = ROOT / "tests/cli/golden/init"
GOOD = {
    "--org": "acme",
    "--fly-org": "acme",
    "--public-url": "https://runners.acme.example",
    "--infisical-project": "p1",
}
IMAGE = f"registry.fly.io/acme-runners-a@sha256:{'0f' * 32}"


def init(folder, *more, leave=(), **changed):
    options = {**GOOD, **{f"--{name.replace('_', '-')}": value for name, value in changed.items()}}
    given = [word for name, value in options.items() if name not in leave for word in (name, value)]
    return ask("init", str(folder), *given, *more)


def test_the_written_fleet_is_the_one_that_was_asked_for(tmp_path):
    done = init(tmp_path, "--json", image=IMAGE, app_id="12", regions="iad,ewr", apps="a-1,a-2")
    assert done.exit_code == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["complete"], told["missing"], told["kept"]) == (True, [], [])
    settings = load_settings(tmp_path / "fleet.toml", {})
    assert (settings.fly.image, settings.github.app_id) == (IMAGE, "12")
    assert told["pools"] == [
        {
            "name": "gha-medium",
            "runs_on": ["fly-gha-medium"],
            "machine_class": "gha-medium",
            "scope": "orgs/acme",
            "apps": ["a-1", "a-2"],
            "regions": ["iad", "ewr"],
            "max_machines": 10,
        }
    ]
    assert [entry["path"].rpartition("/")[2] for entry in told["files"]] == [
        "fleet.toml",
        "fly-gha-canary.yml",
        "PERMISSIONS.md",
    ]
    assert all(command for step in told["next"] for command in step["commands"])


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"org": "two words"}, "--org: found 'two words', expected a GitHub organization"),
        ({"org": "-acme"}, "--org: found '-acme', expected"),
        ({"repository": "acme/web"}, "--repository: found 'acme/web', expected nothing beside --org"),
        ({"fly_org": "Acme"}, "--fly-org: found 'Acme', expected the slug"),
        (
            {"public_url": "http://runners.acme.example"},
            "--public-url: found 'http://runners.acme.example', expected",
        ),
        ({"public_url": "runners.acme.example"}, "--public-url: found 'runners.acme.example', expected"),
        ({"public_url": "https://[::1"}, "--public-url: found 'https://[::1', expected"),
        (
            {"public_url": "https://a.example:99999"},
            "--public-url: found 'https://a.example:99999', expected",
        ),
        ({"public_url": "https://u:p@a.example"}, "--public-url: found 'https://u:p@a.example', expected"),
        ({"class": "huge"}, "--class: found 'huge', expected a machine class: large, medium, small, xlarge"),
        ({"regions": "iad,europe"}, "--regions: found 'europe', expected three lower-case letters"),
        ({"apps": "Upper_Case"}, "--apps: found 'Upper_Case', expected a Fly app"),
        ({"apps": "a" * 63}, "--apps: found 'aaaaaaaa"),
        ({"name": "n" * 31}, "--name: found 'nnnnnnn"),
        ({"credentials": "magic"}, "--credentials: found 'magic', expected one of published, "),
        ({"registration": "both"}, "--registration: found 'both', expected one of jit, token, auto"),
        ({"secrets": "local"}, "--secrets: found 'local', expected infisical: --credentials published"),
        ({"secrets": "vault"}, "--secrets: found 'vault', expected one of local, infisical"),
        (
            {"image": "registry.fly.io/a:latest"},
            "--image: found 'registry.fly.io/a:latest', expected NAME@sha256:",
        ),
        ({"dispatcher": "moon"}, "--dispatcher: found 'moon', expected one of host, fly"),
        ({"credentials": "lease"}, "--infisical-project-slug: found nothing, expected the slug"),
        ({"infisical_auth": "fly-oidc"}, "--infisical-identity: found nothing, expected the id"),
        (
            {"infisical_auth": "fly-oidc", "infisical_identity": "i", "dispatcher": "host"},
            "--dispatcher: found 'host', expected fly: --infisical-auth fly-oidc logs in as a Machine",
        ),
        (
            {"secrets": "local", "credentials": "app", "dispatcher": "fly"},
            "--secrets: found 'local', expected infisical: at Fly",
        ),
        ({"infisical_path": "runners"}, "--infisical-path: found 'runners', expected a folder"),
        ({"runner_group": "a\nb"}, "--runner-group: found 'a\\nb', expected the name"),
    ],
)
def test_an_option_that_will_not_do_is_told_with_what_was_found_and_expected(tmp_path, changed, line):
    folder = tmp_path / "new"
    done = init(folder, **changed)
    assert done.exit_code == 2
    assert any(found.strip().startswith(line) for found in done.stderr.splitlines()), done.stderr
    assert not folder.exists()


def test_all_that_is_missing_in_a_pipe_is_named_a_line_each(tmp_path):
    done = ask("init", str(tmp_path))
    assert done.exit_code == 2
    named = re.findall(r"^  (--[a-z-]+): found nothing, expected ", done.stderr, re.MULTILINE)
    assert named == ["--org", "--fly-org", "--public-url", "--infisical-project"]
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_there_is_left_as_it_is(tmp_path):
    (tmp_path / "fleet.toml").write_text("mine")
    done = init(tmp_path)
    assert done.exit_code == 2
    assert "fleet.toml" in done.stderr
    assert "--force" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["fleet.toml"]
    assert (tmp_path / "fleet.toml").read_text() == "mine"


def test_force_replaces_it_and_keeps_a_copy_each_time(tmp_path):
    path = tmp_path / "fleet.toml"
    path.write_text("first")
    assert init(tmp_path, "--force").exit_code == 0
    path.write_text("second")
    told = json.loads(init(tmp_path, "--force", "--json").stdout)
    assert told["kept"] == [str(tmp_path / "fleet.toml.old2")]
    assert (tmp_path / "fleet.toml.old").read_text() == "first"
    assert (tmp_path / "fleet.toml.old2").read_text() == "second"
    assert tomllib.loads(path.read_text())["fleet"]["name"] == "acme"


def test_the_same_once_more_changes_nothing_and_is_no_mistake(tmp_path):
    assert init(tmp_path).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    again = init(tmp_path, "--json")
    assert again.exit_code == 0
    assert {entry["written"] for entry in json.loads(again.stdout)["files"]} == {False}
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "fleet.toml"
    path.write_text("mine")
    monkeypatch.setattr(
        os, "link", lambda *_, **__: (_ for _ in ()).throw(OSError(28, "No space left on device"))
    )
    done = init(tmp_path, "--force")
    assert done.exit_code == 3
    assert "No space left on device" in done.stderr
    assert path.read_text() == "mine"
    assert [each.name for each in tmp_path.iterdir()] == ["fleet.toml"]


def test_a_link_is_replaced_and_what_it_led_to_is_not_written(tmp_path):
    other = tmp_path / "other"
    other.write_text("theirs")
    (tmp_path / "file").symlink_to(other)
    kept = write(NewFile(tmp_path / "file", "ours", ""))
    assert kept is not None
    assert kept.is_symlink()
    assert (other.read_text(), (tmp_path / "file").read_text()) == ("theirs", "ours")


def test_a_folder_that_cannot_be_made_is_said_in_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    done = init(tmp_path / "file" / "folder")
    assert done.exit_code == 3
    assert "could not be written" in done.stderr


def test_in_a_repository_the_canary_goes_where_github_looks_for_it(tmp_path):
    (tmp_path / ".git").mkdir()
    assert init(tmp_path, "--class", "large").exit_code == 0
    written = (tmp_path / ".github/workflows/fly-gha-canary.yml").read_text()
    assert 'runner: ["fly-gha-large"]' in written


def test_in_the_checkout_of_fly_gha_itself_the_canary_is_not_made_a_workflow(tmp_path, monkeypatch):
    (tmp_path / ".git").mkdir()
    assert canary.canary_path(tmp_path).parent.name == "workflows"
    assert canary._OWN_CHECKOUT == ROOT
    monkeypatch.setattr(canary, "_OWN_CHECKOUT", tmp_path)
    assert canary.canary_path(tmp_path) == tmp_path / "fly-gha-canary.yml"


def test_at_a_terminal_it_asks_for_what_is_missing_and_again_for_what_will_not_do(tmp_path):
    opened = Terminal(
        ("init", "folder", "--fly-org", "acme", "--credentials", "app", "--app-id", "7"), {}, tmp_path
    )
    try:
        for question, answer in (
            ("GitHub organization: ", ""),
            ("  found nothing, expected a GitHub organization", "two words"),
            ("expected a GitHub organization", "acme"),
            ("https address of the dispatcher: ", "https://runners.acme.example"),
            ("Machine classes, a pool each [medium]: ", "small, medium"),
            ("Fly apps for the runners [acme-runners-a]: ", ""),
            ("Regions, the preferred first [iad]: ", ""),
            ("Registration: jit, token or auto [jit]: ", "token"),
            ("Where the dispatcher runs: host or fly [host]: ", "fly"),
            ("Infisical project id: ", "0d1c"),
            ("Runner image by digest (empty: later): ", ""),
        ):
            opened.until(question)
            os.write(opened._master, f"{answer}\n".encode())
        assert opened.ended() == 0, opened.shown
    finally:
        opened.close()
    assert re.search(r"^  medium: 4 CPUs, 16 GB: .*; \$0\.23/h in iad", opened.shown, re.MULTILINE)
    written = tomllib.loads((tmp_path / "folder/fleet.toml").read_text())
    assert [pool["name"] for pool in written["pools"]] == ["gha-small", "gha-medium"]
    assert {pool["registration"] for pool in written["pools"]} == {"token"}
    assert (written["github"]["app_id"], written["fleet"]["name"]) == ("7", "acme")
    assert "host" not in written["fleet"]
    assert (written["fleet"]["secrets"], written["infisical"]["project_id"]) == ("infisical", "0d1c")


def test_who_leaves_the_questions_writes_nothing(tmp_path):
    opened = Terminal(("init", "folder"), {}, tmp_path)
    try:
        opened.until("GitHub organization: ")
        os.write(opened._master, b"\x04")
        assert opened.ended() == 1
        assert "Nothing was written." in opened.shown
    finally:
        opened.close()
    assert not (tmp_path / "folder").exists()


def test_what_it_says_at_a_terminal_is_its_transcript(tmp_path):
    given = [word for pair in {**GOOD, "--app-id": "12", "--image": IMAGE}.items() for word in pair]
    named = ["--class", "medium", "--apps", "acme-runners-a", "--regions", "iad"]
    opened = Terminal(
        (
            "init",
            "acme",
            *given,
            *named,
            "--credentials",
            "published",
            "--registration",
            "jit",
            "--dispatcher",
            "host",
        ),
        {},
        tmp_path,
    )
    try:
        code = opened.ended()
        shown = opened.shown
    finally:
        opened.close()
    # Commands are there to be copied, so they alone may be longer than a line.
    assert max(len(line) for line in shown.splitlines() if not line.startswith("       ")) <= COLUMNS
    transcript = f"{shown}[{code}]\n"
    path = GOLDEN / "said.txt"
    if os.environ.get("FLY_GHA_GOLDEN") == "write":
        path.write_text(transcript)
    assert transcript == path.read_text()
