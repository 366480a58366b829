"""docs/deploy.md: every command of ours in it exists with its options, every file too; its TOML fits."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from mcp_server.cli.main import app as status_app
from runners.cli.main import app
from runners.fleet_file import check_settings
from runners.secrets.names import CREDENTIALS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/deploy.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
INLINE = re.compile(r"`(fly-gha(?:-status)? [a-z][^`]*)`")
PROGRAMS = {"fly-gha": app, "fly-gha-status": status_app}


def blocks(kind):
    return [
        "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))
        for indent, found, text in BLOCK.findall(PAGE)
        if found == kind
    ]


def shell_lines():
    return [line.strip() for text in blocks("bash") for line in text.splitlines() if line.strip()]


def ours():
    """Every call of a program of ours: typed here, given to a Machine, or named in a sentence."""
    lines = [line.partition("--command ")[2].strip('"') or line for line in shell_lines()]
    for line in (*lines, *INLINE.findall(PAGE)):
        words = shlex.split(line)
        if words and Path(words[0]).name in PROGRAMS:
            yield Path(words[0]).name, words[1:]


CALLS = [pytest.param(name, words, id=" ".join([name, *words])) for name, words in ours()]


@pytest.mark.parametrize(("name", "words"), CALLS)
def test_a_command_of_the_page_exists_with_every_option(name, words):
    command = typer.main.get_command(PROGRAMS[name])
    while hasattr(command, "get_command") and words:
        head, *words = words
        command = command.get_command(None, head)
        assert command is not None, f"{name} has no {head}"
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


def test_there_are_commands_to_look_at():
    assert len(CALLS) > 15
    assert {"init", "doctor", "backup", "restore", "drain", "token"} <= {
        param.values[1][0] for param in CALLS if param.values[0] == "fly-gha"
    }


def test_every_file_and_make_target_that_the_page_names_exists():
    named = set(re.findall(r"\b(?:machines|docs)/[\w./-]+\.\w+", PAGE))
    assert {"machines/dispatcher/fly.toml", "machines/status/settings.env"} <= named
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    targets = set(re.findall(r"^make (\w+)", "\n".join(shell_lines()), re.MULTILINE))
    makefile = (ROOT / "Makefile").read_text()
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """What the page's own `fly-gha init` writes, and what it prints."""
    folder = tmp_path_factory.mktemp("init")
    (line,) = [line for line in shell_lines() if line.startswith("fly-gha init")]
    words = shlex.split(line)[1:]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = CliRunner().invoke(app, words)
    assert done.exit_code in (0, 1), done.output
    return (folder / "fleet.toml").read_text(), done.output


def test_what_init_prints_there_is_what_it_prints(begun):
    shown = blocks("text")[0].splitlines()
    printed = begun[1].splitlines()
    assert shown == printed[: len(shown)]


def test_each_piece_of_fleet_toml_fits_into_what_init_wrote(begun):
    document = tomllib.loads(begun[0])
    pieces = [tomllib.loads(text) for text in blocks("toml")]
    assert {section for piece in pieces for section in piece} == {"fleet", "fly", "github", "infisical"}
    for piece in pieces:
        for section, keys in piece.items():
            document[section] = {**document[section], **keys}
    settings = check_settings(document, "docs/deploy.md")
    assert settings.infisical.auth == "fly-oidc"
    assert settings.fleet.public_url == "https://acme-gha.fly.dev"


def test_the_page_names_only_credentials_that_exist():
    shouted = set(re.findall(r"`((?:FLY|GITHUB|INFISICAL)_[A-Z_]+[A-Z])\b", PAGE))
    other = {"FLY_GHA_STATUS_TOKEN"}
    assert shouted - other <= set(CREDENTIALS)
    assert {"FLY_API_TOKEN", "GITHUB_APP_PRIVATE_KEY", "INFISICAL_CLIENT_SECRET"} <= shouted


def test_each_service_is_deployed_from_its_own_file_as_one_machine():
    deployed = [line for line in shell_lines() if line.startswith("fly deploy")]
    assert len(deployed) == 3
    for line in deployed:
        assert "--ha=false" in line
        assert "--build-arg PYTHON_DIGEST=sha256:<64 digits>" in line
    files = {re.search(r"--config (\S+)", line)[1] for line in deployed}
    assert files == {f"machines/{name}/fly.toml" for name in ("dispatcher", "publisher", "status")}
