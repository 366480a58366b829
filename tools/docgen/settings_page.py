"""docs/settings.md and the README's settings: every key of fleet.toml, from Settings and Timing."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from docgen.blocks import code, page, summary, table
from runners.fleet_file import ECOSYSTEM_NAMES, PREFIX
from runners.model.settings import Name, PoolSettings, Scope, Settings, Url
from runners.model.timing import Seconds, Timing

HEAD = ("Key", "Type", "Default", "Meaning")
TYPE_NAMES: Mapping[str, str] = {
    "str": "text",
    "int": "whole number",
    "float": "number",
    "bool": "true or false",
    "Path": "path",
    "SecretStr": "secret",
}


def settings_page() -> str:
    """The whole page."""
    names = table(
        ("Variable", "Setting"),
        [(code(name), code(".".join(place))) for name, place in sorted(ECOSYSTEM_NAMES.items())],
    )
    return page(
        "Settings",
        "`fleet.toml` holds the settings of one fleet; a key that is not listed here is a mistake, and "
        "`fly-gha` names every mistake of the file at once and exits 2. Credentials are never settings: "
        "[credentials.md](credentials.md) lists them.",
        f"Each setting can be overridden by the environment as `{PREFIX}<SECTION>__<KEY>`, for example "
        f"`{PREFIX}FLEET__MAX_MACHINES=80`; lists and numbers are written as JSON, and `{PREFIX}POOLS` "
        "holds all pools as one JSON list. Four base URLs go by the names their ecosystems use; the long "
        "form wins over these:",
        names,
        *_sections(),
        "## `[timing]`",
        f"{summary(Timing)} The demo divides all of these by its time scale.",
        model_table(Timing),
    )


def settings_tables() -> str:
    """The README's part: all sections but the durations."""
    return "\n\n".join(each.replace("## ", "#### ", 1) for each in _sections())


def _sections() -> Iterator[str]:
    for name, field in Settings.model_fields.items():
        if name == "timing":
            continue
        model = PoolSettings if name == "pools" else field.annotation
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            raise TypeError(f"the section {name} is no model")
        heading = f"[[{name}]]" if name == "pools" else f"[{name}]"
        yield f"## `{heading}`"
        yield _capital(summary(model).partition(": ")[2])
        yield model_table(model)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def model_table(model: type[BaseModel], name_of: Callable[[str], str] = str) -> str:
    """Every setting of a model, under the name that ``name_of`` makes of its field's."""
    return table(
        HEAD,
        [
            (code(name_of(name)), _type(field), _default(field), field.description or "")
            for name, field in model.model_fields.items()
        ],
    )


def _type(field: FieldInfo) -> str:
    return _annotation(field.annotation, field.metadata)


def _annotation(annotation: Any, metadata: list[Any]) -> str:
    named = {Seconds: "seconds", Url: "URL", Name: "name", Scope: "scope"}
    for known, word in named.items():
        if annotation == known or (get_args(known)[0] is annotation and _same_rule(known, metadata)):
            return word
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _annotation(arguments[0], list(arguments[1:]))
    if origin in (Union, UnionType):
        inner = [each for each in arguments if each is not NoneType]
        return " or ".join(_annotation(each, metadata) for each in inner) + ", or not set"
    if origin is Literal:
        return " or ".join(code(json.dumps(each)) for each in arguments)
    if origin is tuple:
        return f"list of {_annotation(arguments[0], []).replace('number', 'numbers')}"
    return TYPE_NAMES[annotation.__name__] + _limits(metadata)


def _same_rule(known: Any, metadata: list[Any]) -> bool:
    """Whether the field carries the limits of a named kind (pydantic unpacks those of an Annotated field)."""
    rule = get_args(known)[1]
    return bool(metadata) and all(each in metadata for each in rule.metadata)


def _limits(metadata: list[Any]) -> str:
    words = []
    for limit in metadata:
        if isinstance(limit, annotated_types.Ge):
            words.append(f"≥ {limit.ge:,}")
        elif isinstance(limit, annotated_types.Gt):
            words.append(f"> {limit.gt:,}")
        elif isinstance(limit, annotated_types.Le):
            words.append(f"≤ {limit.le:,}")
    return f" {', '.join(words)}" if words else ""


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required"
    if field.default is None:
        return "not set"
    value = list(field.default) if isinstance(field.default, tuple) else field.default
    return code(json.dumps(str(value) if isinstance(value, Path) else value))
