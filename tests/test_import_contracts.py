"""The arrows of .importlinter hold on this tree, and each contract is seen to fail when it is broken."""

import configparser
import contextlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("import-contracts")

ROOT = Path(__file__).resolve().parents[1]
CONTRACTS = ROOT / ".importlinter"
PACKAGES = ("fly", "machines", "runners", "mcp_server", "simulator")
SECTION = "importlinter:contract:"

# (contract, module that gets the line, the forbidden import)
PLANTS = [
    ("layers", "runners/store/jobs.py", "import runners.control.loop"),
    ("layers", "runners/planning/place.py", "from runners.store import jobs"),
    ("layers", "runners/control/loop.py", "import runners.api.port"),
    ("layers", "runners/api/port.py", "import runners.fleet"),
    ("layers", "runners/model/nouns.py", "from runners.planning import plan"),
    ("layers", "runners/github/client.py", "import runners.secrets.interface"),
    ("wire", "runners/wire/job.py", "from runners.model.reason import Reason"),
    ("wire", "runners/upstream/breaker.py", "import runners.wire.times"),
    ("pure", "runners/model/nouns.py", "import time"),
    ("pure", "runners/planning/place.py", "import random"),
    ("pure", "runners/planning/budget.py", "from datetime import datetime"),
    ("pure", "runners/planning/sweep.py", "import structlog"),
    ("pure", "runners/planning/retire.py", "from runners.upstream.clock import SystemClock"),
    ("fly", "runners/control/launch.py", "import fly.client"),
    ("fly", "simulator/fly/model.py", "import fly.models"),
    ("machines", "machines/provider.py", "from runners.model.reason import Reason"),
    ("apart", "fly/client.py", "import runners.upstream.clock"),
    ("apart", "simulator/serve.py", "import machines.runner.boot"),
    ("simulator", "runners/control/loop.py", "import simulator.clock"),
    ("simulator", "runners/cli/serve.py", "from simulator import serve"),
    ("status", "mcp_server/__init__.py", "import runners.model.reason"),
    ("status", "mcp_server/__init__.py", "import githubkit"),
    ("status", "mcp_server/__init__.py", "import sqlalchemy"),
    ("leaf", "runners/cli/main.py", "import mcp_server"),
    ("alone", "machines/runner/boot.py", "import httpx"),
    ("alone", "simulator/runner/standin/main.py", "import simulator.clock"),
]


def contracts() -> dict[str, str]:
    parsed = configparser.ConfigParser()
    parsed.read(CONTRACTS)
    return {
        section.removeprefix(SECTION): parsed[section]["name"]
        for section in parsed.sections()
        if section.startswith(SECTION)
    }


def lint(tree: Path) -> tuple[int, set[str], str]:
    """The exit code, the names of the broken contracts, and all that was said."""
    ran = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=tree,
        env={"PATH": "", "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = ran.stdout + ran.stderr
    broken = set(re.findall(r"^(.+?) BROKEN\b", said, re.MULTILINE))
    return ran.returncode, broken, said


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source; what a test plants it takes out again."""
    copy = tmp_path_factory.mktemp("planted")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CONTRACTS, copy)
    return copy


@contextlib.contextmanager
def planted(module: Path, text: str) -> Iterator[None]:
    before = module.read_text() if module.exists() else None
    module.write_text((before or "") + text)
    try:
        yield
    finally:
        if before is None:
            module.unlink()
        else:
            module.write_text(before)


def test_no_import_goes_against_an_arrow():
    code, broken, said = lint(ROOT)
    assert (code, broken) == (0, set()), said
    assert f"{len(contracts())} kept, 0 broken" in said


def test_a_copy_of_the_tree_is_as_clean(tree):
    assert lint(tree)[:2] == (0, set())


def test_every_contract_has_a_plant():
    assert {contract for contract, _, _ in PLANTS} == set(contracts())


@pytest.mark.parametrize(("contract", "module", "line"), PLANTS, ids=lambda value: value.replace("/", "."))
def test_a_forbidden_import_breaks_its_contract(tree, contract, module, line):
    with planted(tree / module, f"\n{line}\n"):
        code, broken, said = lint(tree)
    assert code == 1, said
    assert contracts()[contract] in broken, said


def test_a_module_of_runners_without_a_layer_breaks_the_contract(tree):
    with planted(tree / "runners" / "somewhere.py", '"""Belongs nowhere."""\n'):
        code, broken, said = lint(tree)
    assert code == 1, said
    assert broken == {contracts()["layers"]}, said
