import ast
import importlib
import pkgutil
from pathlib import Path

import pytest
from pydantic import ValidationError

import runners.wire
from runners.wire.answer import Answer
from runners.wire.job import JobView
from runners.wire.problem import Problem

MODULES = [
    importlib.import_module(f"runners.wire.{found.name}")
    for found in pkgutil.iter_modules(runners.wire.__path__)
]
MODELS = sorted(
    {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Answer)
    },
    key=lambda model: model.__name__,
)
PROBLEM = {"reason": "r", "what": "w", "why": "y", "attempted": "a", "next_step": "n"}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_answer_is_frozen_and_closed(model):
    assert model.model_config["frozen"] is True
    assert model.model_config["extra"] == "forbid"
    assert model.__doc__


def test_a_misspelt_field_is_an_error_when_it_is_produced():
    with pytest.raises(ValidationError):
        Problem(**PROBLEM, nextstep="x")


def test_a_reader_ignores_what_a_newer_dispatcher_added():
    assert Problem.read({**PROBLEM, "trace_id": "1"}).reason == "r"
    assert (
        Problem.read('{"reason":"r","what":"w","why":"y","attempted":"a","next_step":"n","new":1}').what
        == "w"
    )


def test_other_peoples_text_is_declared_untrusted_and_nothing_else_is():
    def untrusted(schema):
        if schema.get("untrusted"):
            return True
        parts = schema.get("anyOf", []) + ([schema["items"]] if "items" in schema else [])
        return any(untrusted(part) for part in parts)

    fields = JobView.model_json_schema()["properties"]
    declared = {name for name, schema in fields.items() if untrusted(schema)}
    assert declared == {
        "name", "workflow_name", "repository", "head_branch", "labels", "html_url", "runner_name"
    }  # fmt: skip


def test_wire_imports_nothing_of_ours():
    for file in Path(runners.wire.__path__[0]).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                top = node.module.partition(".")[0]
                assert top != "runners" or node.module.startswith("runners.wire"), f"{file}: {node.module}"
