"""The fields of ``fly-gha demo --json``, from the dataclasses that are written."""

import dataclasses
from typing import get_type_hints

from docgen.blocks import attributes, code, summary, table
from runners.cli.demo.judge import Check
from runners.cli.demo.summary import PHASES, Spread, Summary

MODELS = (Summary, Spread, Check)


def demo_fields() -> str:
    """One table for the document, and one for each of its parts."""
    parts = []
    for model in MODELS:
        title = "The document" if model is Summary else f"`{model.__name__}`"
        parts += [f"### {title}", summary(model), table(("Field", "Type", "Meaning"), _rows(model))]
    phases = ", ".join(code(phase) for phase in PHASES)
    return "\n\n".join((*parts, f"`phases` has the keys {phases}."))


def _rows(model: type) -> list[tuple[str, str, str]]:
    hints, says = get_type_hints(model), attributes(model)
    rows = [(field.name, _type(hints[field.name])) for field in dataclasses.fields(model)]
    # The document adds the verdict to the dataclass's own fields.
    rows += [("ok", "bool")] if model is Summary else []
    return [(code(name), code(kind), says.get(name, "")) for name, kind in rows]


def _type(hint: object) -> str:
    text = hint.__name__ if isinstance(hint, type) and not hasattr(hint, "__args__") else str(hint)
    for noise in ("collections.abc.", "runners.cli.demo.judge.", "runners.cli.demo.summary.", "typing."):
        text = text.replace(noise, "")
    return (
        text.replace("Mapping[str, ", "object of ")
        .replace("Sequence[", "list of ")
        .replace("]", "")
        .replace("None", "null")
    )
