"""tests/live/README.md says every variable, every file and every claim that the tests have, and no other."""

import ast
import importlib
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIVE = ROOT / "tests/live"
PAGE = (LIVE / "README.md").read_text()


def test_every_variable_is_there_with_its_meaning_and_default(monkeypatch):
    monkeypatch.syspath_prepend(str(LIVE))
    variables = importlib.import_module("live_settings").VARIABLES
    rows = re.findall(r"^\| `(FLY_GHA_LIVE_\w+)` \| (.*) \| (.*)\|$", PAGE, re.MULTILINE)
    assert [(name, meaning, default.strip()) for name, meaning, default in rows] == [
        (name, variable.meaning, variable.default) for name, variable in variables.items()
    ]


def test_every_file_of_tests_is_there():
    assert re.findall(r"^\| `(test_live_\w+\.py)`", PAGE, re.MULTILINE) == [
        "test_live_reading.py",
        *sorted(path.name for path in LIVE.glob("test_*.py") if path.name != "test_live_reading.py"),
    ]


def test_what_only_reality_can_answer_is_what_the_tests_mark():
    claims = [
        ast.literal_eval(each)
        for path in LIVE.glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.only_reality"
        for each in node.args
    ]
    said = re.findall(r"^- (.*)[;.]$", PAGE.partition("## What only the real ones")[2], re.MULTILINE)
    assert sorted(said) == sorted(claims)
