"""The dispatcher's routes, read from an app built as ``fly-gha serve`` builds it, and never served."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from fastapi.routing import APIRoute

from docgen.blocks import code, plain
from runners.api import access
from runners.api.page.session import watcher
from runners.cli.serve import build_dispatcher
from runners.connections import connect
from runners.fleet import Fleet, Seams
from runners.fleet_file import check_settings
from runners.store.engine import open_store
from runners.upstream.clock import SystemClock
from runners.wire import (
    capacity,
    delivery,
    event,
    health,
    incident,
    job,
    operate,
    pool,
    runner,
    status,
    stream,
    token,
    usage,
)
from runners.wire.answer import Answer

SETTINGS = {
    "fly": {"image": f"registry.fly.io/acme-runners-a@sha256:{0:064x}"},
    "pools": [{"name": "gha-medium", "scope": "orgs/acme", "apps": ["acme-runners-a"]}],
}
SCOPES = {
    access.reader: "token with `read`",
    watcher: "token with `read`, or the status page's cookie",
    access._operator: "token with `operate`",  # noqa: SLF001 - told apart by identity
    access._admin: "token with `admin`",  # noqa: SLF001 - likewise
}
# Who may call a route that no API token opens; a new such route must be given its line here.
OTHERS: Mapping[str, str] = {
    "/webhooks/github": "GitHub, by the webhook secret's signature",
    "/v1/claim": "a booted Machine, by Fly's OIDC token",
    "/v1/claim/ack": "the Machine, by its hook token",
    "/v1/hooks/{hook}": "the Machine, by its hook token",
    "/healthz": "everybody",
    "/readyz": "everybody",
}


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        access: who may call it.
        answer: its model, where the app knows it.
        plain_answer: what it answers instead of a model.
        questions: its query parameters, with what each takes.
    """

    method: str
    path: str
    access: str
    answer: type[Answer] | None
    plain_answer: str
    says: str
    questions: Mapping[str, str]


async def routes() -> list[Route]:
    """Every route of a dispatcher."""
    clock, settings = SystemClock(), check_settings(SETTINGS, "the example")
    connections = connect(settings, clock, {})
    store = open_store("sqlite:///:memory:")
    try:
        fleet = Fleet(settings, clock, store, connections, Seams(entropy=bytes, holder="docs"))
        app = build_dispatcher(fleet)
        paths = app.openapi()["paths"]
        return sorted(
            (_route(route, paths[route.path][_method(route).lower()]) for route in _own(app)), key=_order
        )
    finally:
        await connections.close()
        await store.close()


def _own(app: FastAPI) -> Iterator[APIRoute]:
    for included in app.routes:
        router = getattr(included, "original_router", None)
        for route in [included] if router is None else router.routes:
            # The status page's are for people: docs/page.md tells of them.
            if isinstance(route, APIRoute) and route.include_in_schema:
                yield route


def _route(route: APIRoute, described: Mapping[str, Any]) -> Route:
    scopes = [SCOPES[each.call] for each in route.dependant.dependencies if each.call in SCOPES]
    schema = (
        described["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
    )
    answer = _models().get(schema.get("$ref", "").rpartition("/")[2])
    return Route(
        method=_method(route),
        path=route.path,
        access=scopes[0] if scopes else OTHERS[route.path],
        answer=answer,
        plain_answer="204"
        if "204" in described["responses"]
        else "see below"
        if route.path == "/v1/claim"
        else "text",
        says=plain(described["description"].partition("\n\n")[0]),
        questions={
            each["name"]: _values(each["schema"])
            for each in described.get("parameters", ())
            if each["in"] == "query"
        },
    )


def _method(route: APIRoute) -> str:
    return min(route.methods or {"GET"})


def _order(route: Route) -> tuple[bool, str, str]:
    """What people read first, then what machines call."""
    return (route.method != "GET", route.path, route.method)


def _models() -> dict[str, type[Answer]]:
    found: dict[str, type[Answer]] = {}
    found_in = (
        status,
        pool,
        job,
        runner,
        event,
        incident,
        usage,
        capacity,
        stream,
        health,
        delivery,
        operate,
        token,
    )
    for module in found_in:
        found.update(
            {
                name: each
                for name, each in vars(module).items()
                if isinstance(each, type) and issubclass(each, Answer)
            }
        )
    return found


def _values(schema: Mapping[str, Any]) -> str:
    """What a parameter takes, in words."""
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            return _values(option)
    default = schema.get("default")
    otherwise = f"; {code(str(default))} when not given" if default not in (None, []) else ""
    if schema.get("type") == "array":
        kinds = " or ".join(code(each) for each in schema["items"].get("enum", ())) or "text"
        return f"{kinds}, may be repeated"
    if "enum" in schema:
        return " or ".join(code(each) for each in schema["enum"]) + otherwise
    if schema.get("type") == "integer":
        return f"{schema['minimum']} to {schema['maximum']}{otherwise}"
    return "text" + otherwise
