"""The overlays: where a simulator answers, or a client asks, other than the published specification says.

Each simulator ships a `deviations.toml`. An entry names its operation (`METHOD /path` as published, or `*`),
one thing that differs, `what` and the `fact` it rests on:

- `status` with `schema` (a JSON Schema as text): what this status answers. With `*` it is added wherever the
  status is not listed; with one operation it replaces what is listed. An empty schema is an empty body.
- `parameter`: a query parameter that is not published, or not so; `{key}` in its name stands for anything.
- `component` with `schema`: merged into a schema of the specification, wherever it is used.
"""

import copy
import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contracts.openapi import METHODS

KEYS = frozenset({"operation", "status", "parameter", "component", "schema", "what", "fact"})
EVERYWHERE = "*"


class OverlayWrong(ValueError):
    """An overlay that cannot be read as meant."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One entry of an overlay; exactly one of status, parameter and component is set."""

    operation: str
    what: str
    fact: str
    status: int | None = None
    parameter: str | None = None
    component: str | None = None
    schema: str | None = None

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.operation} {self.status or self.parameter or self.component}: {self.what}"

    def touches(self, operation: str) -> bool:
        """Whether it may matter to an exchange of that operation."""
        return self.operation in (EVERYWHERE, operation)


def load(path: Path) -> tuple[Deviation, ...]:
    """The entries of one overlay.

    Raises:
        OverlayWrong: a key is missing, unknown or said twice.
    """
    found = tomllib.loads(path.read_text(encoding="utf-8"))["deviation"]
    entries = tuple(_entry(raw, path) for raw in found)
    subjects = [(one.operation, one.status, one.parameter, one.component) for one in entries]
    if len(set(subjects)) != len(subjects):
        raise OverlayWrong(f"{path}: an entry is there twice")
    return entries


def overlaid(document: Mapping[str, Any], deviations: Iterable[Deviation]) -> dict[str, Any]:
    """The document with the deviations written into it."""
    changed = copy.deepcopy(dict(document))
    # What is said of one operation comes before what is said of all.
    for deviation in sorted(deviations, key=lambda one: one.operation == EVERYWHERE):
        schema = json.loads(deviation.schema) if deviation.schema else None
        if deviation.component is not None:
            _merge(changed["components"]["schemas"][deviation.component], schema)
        for definition in _operations(changed, deviation.operation):
            if deviation.parameter is not None:
                parameter = {"name": deviation.parameter, "in": "query", "schema": {}}
                # Of two parameters of one name the last counts.
                definition["parameters"] = [*definition.get("parameters", ()), parameter]
            if deviation.status is not None:
                answer: dict[str, Any] = {"description": deviation.what}
                if schema is not None:
                    answer["content"] = {"application/json": {"schema": schema}}
                if deviation.operation != EVERYWHERE or str(deviation.status) not in definition["responses"]:
                    definition["responses"][str(deviation.status)] = answer
    return changed


def _entry(raw: Mapping[str, Any], path: Path) -> Deviation:
    subjects = [key for key in ("status", "parameter", "component") if key in raw]
    if set(raw) - KEYS or len(subjects) != 1 or not raw.get("what") or not raw.get("fact"):
        raise OverlayWrong(f"{path}: one of status, parameter, component, with what and fact, in {dict(raw)}")
    if "parameter" in raw and "schema" in raw:
        raise OverlayWrong(f"{path}: a parameter has no schema here, in {dict(raw)}")
    if "schema" in raw:
        json.loads(raw["schema"])
    return Deviation(**raw)


def _operations(document: dict[str, Any], operation: str) -> list[dict[str, Any]]:
    if operation == EVERYWHERE:
        return [item[method] for item in document["paths"].values() for method in METHODS if method in item]
    method, _, path = operation.partition(" ")
    try:
        return [document["paths"][path][method.lower()]]
    except KeyError:
        raise OverlayWrong(f"the specification has no operation {operation}") from None


def _merge(into: dict[str, Any], change: Mapping[str, Any]) -> None:
    for key, value in change.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value
