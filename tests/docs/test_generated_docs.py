"""The generated pages say what the code says, all of it, and a stale one is noticed."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from runners.api.metric_names import series
from runners.cli.main import VERBS, app
from runners.model.reason import Reason
from runners.model.reason_causes import CAUSES
from runners.model.refusal_notes import REASON_NOTES
from runners.model.runbook import runbook_lines
from runners.model.settings import Settings
from runners.model.states import MachineState, RunnerState
from runners.model.timing import Timing
from runners.secrets.names import CREDENTIALS
from runners.wire.answer import Answer

ROOT = Path(__file__).resolve().parents[2]
CODE = re.compile(r"`([^`]+)`")
# A file's first word in a table's row.
KEY = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


def page(name):
    return (ROOT / name).read_text(encoding="utf-8")


def generate(root, *arguments):
    command = [sys.executable, str(root / "tools/generate_docs.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=root)


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The documents and what makes them, in a place where they may be spoilt."""
    root = tmp_path_factory.mktemp("copy")
    shutil.copy(ROOT / "README.md", root)
    shutil.copytree(ROOT / "docs", root / "docs")
    shutil.copytree(ROOT / "tools", root / "tools")
    return root


def test_no_generated_page_is_stale():
    done = generate(ROOT, "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_stale_page_is_named_and_written_anew(copy):
    spoilt = copy / "docs/settings.md"
    spoilt.write_text(spoilt.read_text().replace("idle_timeout", "idle_time"))
    readme = copy / "README.md"
    readme.write_text(readme.read_text().replace("| `paused` |", "| `halted` |"))
    checked = generate(copy, "--check")
    assert checked.returncode == 1
    assert "docs/settings.md is stale" in checked.stdout
    assert "README.md is stale" in checked.stdout
    assert generate(copy).returncode == 0
    assert spoilt.read_text() == page("docs/settings.md")
    assert readme.read_text() == page("README.md")


def test_a_page_without_the_markers_of_its_part_is_told(copy):
    readme = copy / "README.md"
    readme.write_text(readme.read_text().replace("<!-- generated: verbs -->", ""))
    assert "README.md lacks" in generate(copy, "--check").stderr


def test_every_setting_is_documented():
    listed = page("docs/settings.md")
    for name, field in Settings.model_fields.items():
        model = field.annotation if name != "pools" else field.annotation.__args__[0]
        section = re.search(rf"^## `\[+{name}\]+`$(.*?)(?=^## |\Z)", listed, re.DOTALL | re.MULTILINE)
        assert section is not None, name
        assert KEY.findall(section[1]) == list(model.model_fields)
    assert all(each.description for each in Timing.model_fields.values())


def test_the_readme_has_every_setting_but_the_durations():
    part = re.search(r"<!-- generated: settings -->(.*?)<!-- end -->", page("README.md"), re.DOTALL)[1]
    for name, field in Settings.model_fields.items():
        if name != "timing":
            model = field.annotation if name != "pools" else field.annotation.__args__[0]
            assert set(model.model_fields) <= set(KEY.findall(part))


def verbs(group, prefix="fly-gha"):
    context = typer.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if hasattr(command, "list_commands"):
            yield from verbs(command, f"{prefix} {name}")
        else:
            yield f"{prefix} {name}", command


def test_every_verb_and_option_is_documented():
    listed, readme = page("docs/cli.md"), page("README.md")
    found = list(verbs(typer.main.get_command(app)))
    assert {name.split()[1] for name, _ in found} == set(VERBS)
    for name, command in found:
        section = re.search(rf"^## `{name}`$(.*?)(?=^## |\Z)", listed, re.DOTALL | re.MULTILINE)
        assert section is not None, name
        assert f"`{name}`" in readme
        for option in command.params:
            if option.param_type_name == "option" and option.name != "help":
                assert all(f"`{flag}`" in section[1] for flag in option.opts), (name, option.opts)


def test_every_reason_has_one_meaning_and_is_documented():
    noted = [reason for notes in REASON_NOTES.values() for reason in notes]
    assert sorted(noted) == sorted(Reason), "each Reason needs one note: reason_notes.py or refusal_notes.py"
    entries = re.findall(
        r"^### `(\w+)`\n\n(.*?)(?=\n\n|\Z)", page("docs/reasons.md"), re.MULTILINE | re.DOTALL
    )
    assert sorted(name for name, _ in entries) == sorted(Reason)
    for name, entry in entries:
        parts = [line.partition(": ") for line in entry.strip().splitlines()]
        assert [part[0] for part in parts] == ["- Means", "- Why it happens", "- What to do"], name
        assert all(len(part[2]) > len("none") for part in parts), name


def test_a_reason_without_a_cause_stops_the_page(monkeypatch):
    monkeypatch.delitem(CAUSES, Reason.POOL_AT_MAX)
    with pytest.raises(LookupError, match="pool_at_max"):
        runbook_lines(Reason.POOL_AT_MAX)


def test_every_state_is_documented():
    assert {*MachineState, *RunnerState} <= set(KEY.findall(page("docs/architecture.md")))


def test_every_credential_is_documented():
    assert set(CREDENTIALS) <= set(KEY.findall(page("docs/credentials.md")))


def test_the_delivery_log_is_read_with_the_apps_key_only():
    """The page asks the modes themselves; this is what they must answer."""
    assert re.search(
        r"^\| `deliveries` \| [^|]+ \| \*\*no\*\* \| \*\*no\*\* \| yes \|",
        page("docs/credentials.md"),
        re.MULTILINE,
    )


def models(kind):
    for each in kind.__subclasses__():
        if each.__module__.startswith("runners.wire."):
            yield each
            yield from models(each)


def test_every_public_model_and_field_is_documented():
    listed = page("docs/api.md")
    for model in models(Answer):
        section = re.search(rf"^### {model.__name__}$(.*?)(?=^### |\Z)", listed, re.DOTALL | re.MULTILINE)
        assert section is not None, model.__name__
        assert KEY.findall(section[1]) == list(model.model_fields)


@pytest.mark.parametrize(
    "route",
    [
        "/webhooks/github",
        "/v1/claim",
        "/v1/claim/ack",
        "/v1/hooks/{hook}",
        "/v1/status",
        "/v1/status/stream",
        "/v1/pools",
        "/v1/jobs",
        "/v1/jobs/{id}",
        "/v1/runners/{name}",
        "/v1/events",
        "/v1/usage",
        "/metrics",
        "/healthz",
        "/readyz",
    ],
)
def test_the_routes_users_rely_on_are_documented(route):
    assert f"`{route}`" in page("docs/api.md")


def test_every_metric_is_documented():
    assert KEY.findall(page("docs/metrics.md")) == list(series())


def test_every_alert_rests_on_metrics_that_exist():
    _, _, alerts = page("docs/metrics.md").partition("## What to alert on")
    named = set(re.findall(r"\bfly_gha_\w+", alerts))
    assert len(named) > 8
    assert named <= set(series())
