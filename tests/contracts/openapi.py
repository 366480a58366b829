"""One OpenAPI document as a contract: which operation an exchange belongs to, and what is wrong with it.

Checked are: path and its parameters, query (an unknown name is an error), required headers, request body and
its type, that the status is listed, response body and its type. All schemas are closed (closing.py).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.contracts.closing import ClosedSchemas
from tests.contracts.exchange import Exchange, json_of

METHODS = ("get", "put", "post", "patch", "delete", "head", "options")
_HOLE = re.compile(r"\{([^}]+)\}")


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation; `key` is how the tables and overlays name it: `GET /apps/{app_name}/machines`."""

    key: str
    template: str
    definition: Mapping[str, Any]
    parameters: tuple[Mapping[str, Any], ...]

    def match(self, segments: Sequence[str]) -> dict[str, str] | None:
        """The path parameters of a path that is this operation's, else None."""
        wanted = self.template.strip("/").split("/")
        if len(wanted) != len(segments):
            return None
        found: dict[str, str] = {}
        for want, segment in zip(wanted, segments, strict=True):
            if hole := _HOLE.fullmatch(want):
                found[hole[1]] = unquote(segment)
            elif want != segment:
                return None
        return found


class Contract:
    """A document whose servers' base path is below the root of what is recorded."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.base = urlsplit(document["servers"][0]["url"]).path.rstrip("/")
        self._schemas = ClosedSchemas(document["components"]["schemas"])
        self.operations = {operation.key: operation for operation in self._read()}
        # A literal segment is a closer match than a hole: /runners/downloads before /runners/{runner_id}.
        self._by_closeness = sorted(self.operations.values(), key=lambda op: op.template.count("{"))

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation of a request and its path parameters."""
        if not path.startswith(self.base + "/"):
            return None
        segments = path.removeprefix(self.base).strip("/").split("/")
        for operation in self._by_closeness:
            if operation.key.startswith(f"{method} ") and (at := operation.match(segments)) is not None:
                return operation, at
        return None

    def problems(self, exchange: Exchange) -> list[str]:
        """All that is wrong with an exchange; nothing when it is as published."""
        found = self.find(exchange.method, exchange.path)
        if found is None:
            return [f"{exchange.method} {exchange.path} is no operation of the specification"]
        operation, at = found
        problems = list(self._response_problems(operation, exchange))
        if not exchange.meant_to_be_refused:
            problems += self._parameter_problems(operation, at, exchange)
            problems += self._request_problems(operation, exchange)
        return problems

    def _parameter_problems(
        self, operation: Operation, at: Mapping[str, str], exchange: Exchange
    ) -> Iterator[str]:
        given: dict[str, dict[str, list[str]]] = {"path": {}, "query": {}, "header": {}}
        for name, value in at.items():
            given["path"].setdefault(name, []).append(value)
        for name, value in exchange.query:
            given["query"].setdefault(_declared_as(name, operation), []).append(value)
        for name, value in exchange.request_headers.items():
            given["header"][name.lower()] = [value]
        known = set()
        for parameter in operation.parameters:
            place, name = parameter["in"], parameter["name"]
            name = name.lower() if place == "header" else name
            known.add((place, name))
            values = given.get(place, {}).get(name)
            if values is None:
                if parameter.get("required"):
                    yield f"{place} parameter {name} is missing"
                continue
            value = _read(parameter, values)
            yield from self._schemas.problems(parameter.get("schema", {}), value, f"{place} {name}")
        for name in given["query"]:
            if ("query", name) not in known:
                yield f"query parameter {name} is unknown"

    def _request_problems(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        expected = self._resolved(operation.definition.get("requestBody"))
        if not exchange.request_body:
            if expected and expected.get("required"):
                yield "request body is missing"
            return
        if not expected:
            yield "request body is not foreseen"
            return
        yield from self._body_problems(
            expected.get("content", {}), exchange.request_headers, exchange.request_body, "request"
        )

    def _response_problems(self, operation: Operation, exchange: Exchange) -> Iterator[str]:
        responses = operation.definition["responses"]
        expected = self._resolved(responses.get(str(exchange.status), responses.get("default")))
        if expected is None:
            yield f"status {exchange.status} is not listed"
            return
        content = expected.get("content", {})
        if not exchange.response_body:
            if content:
                yield "response body is missing"
            return
        if not content:
            yield "response body is not foreseen"
            return
        yield from self._body_problems(content, exchange.response_headers, exchange.response_body, "response")

    def _body_problems(
        self, content: Mapping[str, Any], headers: Mapping[str, str], body: bytes, where: str
    ) -> Iterator[str]:
        media = headers.get("content-type", "").partition(";")[0].strip()
        if media not in content:
            yield f"{where} is {media or 'of no type'}, not {' or '.join(content)}"
            return
        value = json_of(body)
        if value is None and body.strip() != b"null":
            yield f"{where} is not JSON"
            return
        yield from self._schemas.problems(content[media].get("schema", {}), value, where)

    def _read(self) -> Iterator[Operation]:
        for template, item in self._document["paths"].items():
            shared = [self._resolved(one) for one in item.get("parameters", ())]
            for method in METHODS:
                if method in item:
                    own = [self._resolved(one) for one in item[method].get("parameters", ())]
                    parameters = {(one["in"], one["name"]): one for one in (*shared, *own)}
                    key = f"{method.upper()} {template}"
                    yield Operation(key, template, item[method], tuple(parameters.values()))

    def _resolved(self, part: Any) -> Any:
        while isinstance(part, Mapping) and "$ref" in part:
            target: Any = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                target = target[step.replace("~1", "/").replace("~0", "~")]
            part = target
        return part


def _declared_as(name: str, operation: Operation) -> str:
    """The name under which a query parameter is declared; `metadata.{key}` stands for `metadata.anything`."""
    for parameter in operation.parameters:
        stem, hole, rest = parameter["name"].partition("{")
        if hole and parameter["in"] == "query" and name.startswith(stem) and rest.endswith("}"):
            return str(parameter["name"])
    return name


def _read(parameter: Mapping[str, Any], values: list[str]) -> Any:
    """A parameter's text as its schema types it; text that cannot be read so stays text and fails there."""
    kind = parameter.get("schema", {}).get("type")
    if kind == "array":
        return values if parameter.get("explode", True) else values[0].split(",")
    text = values[0] if len(values) == 1 else values
    if kind == "integer" and isinstance(text, str) and re.fullmatch(r"-?\d+", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text
