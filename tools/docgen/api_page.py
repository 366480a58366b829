"""docs/api.md: routes from the dispatcher's own app, models from runners.wire."""

import asyncio
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from docgen.blocks import attributes, code, page, summary, table
from docgen.operate_part import operating
from docgen.routes import Route, routes
from runners.api.lookups import LIMIT_MAX
from runners.wire.answer import Answer
from runners.wire.capacity import CapacityAnswer
from runners.wire.delivery import DeliveryAnswer
from runners.wire.event import EventPage, EventView
from runners.wire.headers import (
    NARROWING_ENTRIES_MAX,
    NARROWING_ENTRY_MAX,
    POOLS_HEADER,
    REPOSITORIES_HEADER,
)
from runners.wire.health import Check, Health, Readiness
from runners.wire.incident import Incident, IncidentPage
from runners.wire.job import ForecastView, JobAnswer, JobPage, JobView, PhaseView
from runners.wire.operate import (
    FleetControls,
    FleetOperation,
    PoolControls,
    PoolOperation,
    RunnerControls,
    RunnerOperation,
    SweepAnswer,
    SweepFind,
)
from runners.wire.pool import Budget, PoolList, PoolView, QueueSummary, Spares
from runners.wire.problem import Problem
from runners.wire.runner import BootView, MachineView, RunnerHistory, RunnerPage, RunnerView
from runners.wire.status import FleetStatus, LoopView, UpstreamView
from runners.wire.stream import StreamMessage
from runners.wire.text import TEXT_MAX, Untrusted, UntrustedUrl
from runners.wire.times import Time
from runners.wire.token import TokenList, TokenMade, TokenRevoked, TokenView
from runners.wire.usage import Usage, UsageRow
from runners.wire.why import HeldView, WhyView

MODELS: tuple[type[Answer], ...] = (
    FleetStatus, PoolList, PoolView, QueueSummary, Spares, Budget, HeldView, UpstreamView, LoopView,
    StreamMessage, JobPage, JobAnswer, JobView, WhyView, PhaseView, ForecastView, RunnerPage, RunnerHistory,
    RunnerView, MachineView, BootView, EventPage, EventView, IncidentPage, Incident, Usage, UsageRow,
    CapacityAnswer, PoolOperation, PoolControls,
    FleetOperation, FleetControls, RunnerOperation, RunnerControls, SweepAnswer, SweepFind, TokenList,
    TokenMade, TokenRevoked, TokenView, DeliveryAnswer, Health,
    Readiness, Check, Problem,
)  # fmt: skip
"""In reading order; a test holds that none is missing."""

# What these routes answer is built by hand (an ETag, a status, a stream), so the app does not know its model.
ANSWERS: Mapping[str, type[Answer]] = {
    "/v1/status": FleetStatus,
    "/v1/status/stream": StreamMessage,
    "/webhooks/github": DeliveryAnswer,
    "/readyz": Readiness,
}
WORDS: Mapping[Any, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def api_page() -> str:
    """The whole page."""
    found = asyncio.run(routes())
    return page(
        "The dispatcher's HTTP API",
        "Everything `fly-gha status`, `why` and `events` show comes from here. Calls that read need an "
        "API token with the scope `read`, sent as `Authorization: Bearer fgr_…`; `fly-gha token create "
        "--local` makes one ([cli.md](cli.md)). A token may be limited to repositories and pools: lists, "
        "counts, the stream and what is not found then show it nothing else. The scopes `operate` and "
        "`admin` open what [changes things](#changing-things), and not what reads.",
        f"A reader may ask to see less than its token allows: the header `{REPOSITORIES_HEADER}` takes "
        "comma-separated "
        f"`owner/name` patterns and `{POOLS_HEADER}` pool names, each at most {NARROWING_ENTRIES_MAX} of at "
        f"most {NARROWING_ENTRY_MAX} characters. What they leave out is hidden everywhere, as a token so "
        "limited hides it; absent or empty they leave out nothing, and one that cannot be read is refused.",
        "Every answer carries `X-Fly-Gha-Now`, the dispatcher's time in Unix seconds, and `X-Request-Id`: "
        "the caller's own when it sent one of 1 to 64 letters, digits, `.`, `_` and `-`, else a new "
        "one. The dispatcher's log names it where it tells of a request that failed. Every error is a "
        "[Problem](#problem) (`application/problem+json`) and never quotes what the caller sent.",
        "## Routes",
        table(("Method", "Path", "Who may", "Answer", "What"), [_row(route) for route in found]),
        "`GET /v1/status` answers with an `ETag`; sent back as `If-None-Match` it gets 304 while nothing "
        "but the time has changed. `GET /v1/status/stream` sends server-sent events; `Last-Event-ID` "
        "goes on after the last one seen.",
        "## Query parameters",
        f"Unknown ones are refused. A page has at most {LIMIT_MAX} entries.",
        table(("Path", "Parameter", "Values"), _questions(found)),
        *operating(),
        "## The claim",
        "Spoken by the boot agent in a Machine "
        "([machines/runner/README.md](../machines/runner/README.md)), by nobody else. `POST /v1/claim` "
        "takes a JSON object with a `nonce`, and Fly's OIDC token of the Machine whose audience is "
        "`fleet.public_url`. It answers 200 with the registration, once; 204 when there is none yet (the "
        "call is held for `timing.claim_poll`); 401 when the token proves nothing; 403 when the Machine "
        "may not have one; 410 when its row is retired; 503 when nothing can be decided now. The same "
        "nonce gets the same answer until it is acknowledged or `timing.claim_grace` is over; any other "
        "caller is refused, and the refusal is an event.",
        "## Models",
        f"*text of others* was written by whoever can open a pull request: it is cut to {TEXT_MAX} "
        "characters and stripped of invisible ones. Times are RFC 3339 in UTC with milliseconds.",
        *_models(MODELS),
    )


def _row(route: Route) -> tuple[str, ...]:
    model = ANSWERS.get(route.path, route.answer)
    answer = f"[{model.__name__}](#{model.__name__.lower()})" if model else route.plain_answer
    return (route.method, code(route.path), route.access, answer, route.says)


def _questions(found: Iterable[Route]) -> list[tuple[str, str, str]]:
    return [
        (code(route.path), code(name), values) for route in found for name, values in route.questions.items()
    ]


def _models(models: Iterable[type[Answer]]) -> Iterable[str]:
    for model in models:
        yield f"### {model.__name__}"
        yield summary(model)
        says, hints = attributes(model), get_type_hints(model, include_extras=True)
        rows = [(code(name), _type(hints[name]), says.get(name, "")) for name in model.model_fields]
        yield table(("Field", "Type", "Meaning"), rows)


def _type(hint: Any) -> str:
    named = {Time: "time", Untrusted: "text of others", UntrustedUrl: "URL of others"}
    for known, word in named.items():
        if hint == known:
            return word
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, types.UnionType):
        return " or ".join("null" if each is types.NoneType else _type(each) for each in arguments)
    if origin is Literal:
        return " or ".join(code(str(each)) for each in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"object of {_type(arguments[1])}"
    if isinstance(hint, type) and issubclass(hint, Answer):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    return WORDS[hint]
