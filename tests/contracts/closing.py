"""OpenAPI's schemas as JSON Schema 2020-12, closed: a key that a schema does not name is an error.

OpenAPI leaves every object open unless it says `additionalProperties: false`, so a misspelt key passes. Here
every object that names properties and does not say otherwise is closed. What allOf, anyOf and oneOf compose
is closed as one object (`unevaluatedProperties`), its branches staying open: each component therefore exists
twice, closed and open. `nullable` of OpenAPI 3.0 becomes the type null.
"""

import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError, best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

BASE = "urn:contract"
MOST_PROBLEMS = 5

_COMPOSERS = ("allOf", "anyOf", "oneOf")
_KEPT = (
    *("type", "enum", "const", "format", "pattern", "required", "not", "uniqueItems", "multipleOf"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "minLength", "maxLength"),
    *("minItems", "maxItems", "minProperties", "maxProperties"),
)
_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:\S+")

FORMATS = FormatChecker(formats=())
FORMATS.checks("date-time")(lambda value: not isinstance(value, str) or bool(_DATE_TIME.fullmatch(value)))
FORMATS.checks("uri")(lambda value: not isinstance(value, str) or bool(_URI.fullmatch(value)))


class ClosedSchemas:
    """The components of one document, and validators for schemas that refer to them.

    Args:
        components: by name.
        prefix: how a `$ref` to one of them begins.
    """

    def __init__(self, components: Mapping[str, Any], prefix: str = "#/components/schemas/") -> None:
        self._prefix = prefix
        resource = {
            "closed": {name: self.close(schema) for name, schema in components.items()},
            "open": {name: self.close(schema, opened=True) for name, schema in components.items()},
        }
        self._registry = Registry().with_resource(BASE, DRAFT202012.create_resource(resource))

    def problems(self, schema: Any, value: Any, where: str) -> list[str]:
        """What is wrong with a value, in words that name the place and the key."""
        closed = self.close(schema)
        if closed is True:
            return []
        validator = Draft202012Validator(closed, registry=self._registry, format_checker=FORMATS)
        errors = sorted(validator.iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
        return [_in_words(error, where) for error in errors[:MOST_PROBLEMS]]

    def close(self, schema: Any, *, opened: bool = False) -> Any:
        """A schema in JSON Schema's words, closed unless it is to be a branch of something that is."""
        if not isinstance(schema, Mapping) or not schema:
            return True if not isinstance(schema, bool) else schema
        if "$ref" in schema:
            name = schema["$ref"].removeprefix(self._prefix)
            return {"$ref": f"{BASE}#/{'open' if opened else 'closed'}/{name}"}
        if _wraps_one(schema):
            return _or_null(schema, self.close(schema["allOf"][0], opened=opened))
        out = {key: schema[key] for key in _KEPT if key in schema}
        if "items" in schema:
            out["items"] = self.close(schema["items"])
        if "properties" in schema:
            out["properties"] = {name: self.close(part) for name, part in schema["properties"].items()}
        if "additionalProperties" in schema:
            out["additionalProperties"] = self.close(schema["additionalProperties"])
        as_one = "allOf" in schema or "properties" in schema
        for composer in _COMPOSERS:
            if composer in schema:
                branches = schema[composer]
                out[composer] = [self.close(branch, opened=opened or as_one) for branch in branches]
        if as_one and not opened and "additionalProperties" not in schema:
            composed = any(composer in schema for composer in _COMPOSERS)
            out["unevaluatedProperties" if composed else "additionalProperties"] = False
        return _or_null(schema, out)


def _wraps_one(schema: Mapping[str, Any]) -> bool:
    """`allOf` with a single branch only serves to put a description beside a `$ref`."""
    return len(schema.get("allOf", ())) == 1 and not {"properties", "anyOf", "oneOf"} & set(schema)


def _or_null(schema: Mapping[str, Any], out: Any) -> Any:
    if not schema.get("nullable"):
        return out
    if isinstance(out, dict) and isinstance(out.get("type"), str) and not _composed(out):
        nulled = {**out, "type": [out["type"], "null"]}
        return {**nulled, "enum": [*out["enum"], None]} if "enum" in out else nulled
    return {"anyOf": [{"type": "null"}, out]}


def _composed(out: Mapping[str, Any]) -> bool:
    return any(composer in out for composer in (*_COMPOSERS, "$ref"))


def _in_words(error: ValidationError, where: str) -> str:
    """The deepest cause: `anyOf` alone says only that nothing fits."""
    cause = best_match([error]) or error
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in cause.absolute_path)
    return f"{where}{place}: {cause.message[:300]}"
