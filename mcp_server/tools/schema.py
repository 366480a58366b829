"""The JSON Schema of a tool's arguments and of its answer, as short as it can be said.

Every agent reads these schemas before its first question, so what helps nobody is left out: titles that
repeat the name, null (an absent field says it), defaults of null, patterns of times (``date-time`` says it).
An answer's schema allows fields that a newer server may add.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

_OF_TIMES = r"^\d{4}-\d{2}-\d{2}T"
"""How the patterns of times begin, in answers and in arguments."""
_NAMED = frozenset({"properties", "$defs"})
"""Their keys are names of ours and not keywords of JSON Schema."""


def input_schema(model: type[BaseModel], examples: tuple[Mapping[str, Any], ...]) -> dict[str, Any]:
    """What ``model`` takes, with arguments that make sense; anything else is refused."""
    schema = _tidy(model.model_json_schema(by_alias=True))
    schema.pop("description", None)
    schema.setdefault("properties", {})
    return {**schema, "additionalProperties": False, "examples": [dict(each) for each in examples]}


def output_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What an answer of ``model`` holds once its nulls are left out."""
    schema = _tidy(model.model_json_schema(by_alias=True, mode="serialization"))
    for part in (schema, *schema.get("$defs", {}).values()):
        # Docstrings are for people who read the code.
        part.pop("description", None)
        part.pop("additionalProperties", None)
    return dict(schema)


def _tidy(node: Any, *, named: bool = False) -> Any:
    if isinstance(node, list):
        return [_tidy(each) for each in node]
    if not isinstance(node, dict):
        return node
    if named:
        return {key: _tidy(value) for key, value in node.items()}
    node = _without_null(node)
    return {
        key: _tidy(value, named=key in _NAMED)
        for key, value in node.items()
        if key != "title" and not (key == "default" and value in (None, [], ()))
    }


def _without_null(node: dict[str, Any]) -> dict[str, Any]:
    """An optional field is one that may be absent; a time is a date-time."""
    choices = [each for each in node.get("anyOf", ()) if each != {"type": "null"}]
    if "anyOf" in node and len(choices) == 1:
        rest = {key: value for key, value in node.items() if key != "anyOf"}
        node = {**choices[0], **rest}
    elif "anyOf" in node:
        node = {**node, "anyOf": choices}
    if str(node.get("pattern", "")).startswith(_OF_TIMES):
        kept = {key: value for key, value in node.items() if key not in ("pattern", "maxLength", "examples")}
        node = {**kept, "format": "date-time"}
        if node.get("description", "").startswith("RFC"):
            del node["description"]
    return node
