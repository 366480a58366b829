"""The part of docs/api.md on changing things: who may, what is sent, and what repeats and conditions do."""

from collections.abc import Iterator, Mapping
from typing import Any

from docgen.blocks import attributes, code, table
from runners.api.operate_bodies import (
    BODY_MAX,
    WORDS_MAX,
    Asked,
    RetireBody,
    ScaleBody,
    SweepBody,
    TokenBody,
)

# By address, what it takes; a test holds that no route of an operator is missing.
BODIES: Mapping[str, type[Asked]] = {
    "/v1/pools/{name}/drain": Asked,
    "/v1/pools/{name}/undrain": Asked,
    "/v1/pools/{name}/scale": ScaleBody,
    "/v1/fleet/pause": Asked,
    "/v1/fleet/resume": Asked,
    "/v1/runners/{name}/retire": RetireBody,
    "/v1/sweep": SweepBody,
    "/v1/tokens": TokenBody,
    "/v1/tokens/{token_id}": Asked,
}
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "`true` or `false`",
    "null": "`null`",
    "array": "list of text",
}


_RULES = f"""
Calls that change need a token with the scope `operate`, or `admin` for tokens; no scope implies another.
A token that is limited to pools operates those, one that is limited to repositories the pools that are
registered at one of them; pausing, resuming and sweeping take a token without limits. A use that is
refused for want of a right is an event, at most one a minute.

Every change is one event, written in the same transaction: the actor `token:ID`, what was before and is
after, and the operator's words from `reason` (at most {WORDS_MAX} characters, no credentials). The
answer's `revision` is of that event: a reader that has seen it has seen the change. What is so already is
answered with `changed: false`; nothing is written then. Overrides last until they are taken back, also
over restarts, and a pool lists them in `overrides`; one that says what fleet.toml says is removed.

`Idempotency-Key` (1 to 255 visible ASCII characters, a new random one for each thing to do) makes a
repeat safe: within 24 hours the same key with the same request gets the same answer, marked
`Idempotency-Replayed: true`, and changes nothing; also after a restart, and when the first answer never
came. With another request it gets 422 `key_used_before`. Keys belong to their token. Refusals are not
kept: the key may be sent again with the request mended.

`If-Match` with the `ETag` of `GET /v1/pools/{{name}}`, or the `version` of an answer, makes drain, undrain
and scale conditional: 412 `changed_since` says what was changed since, and by whom. That ETag is of what
operators set, not of Machines or queue. Elsewhere `If-Match` is refused.

A busy runner is retired by `force` only, and its job is lost: the answer and the event say so. Without
force the planner removes the registration first, and GitHub's word that it is busy leaves it alone. A
sweep reads the lists now; what two readings `timing.absence_confirm` apart do not agree on stays. A
dispatcher that only observes answers 409 `only_observing`.

`admin` makes and ends tokens and does nothing else. Its bearer can make a token that may read and
operate, so give it to few; each making and each end is an event with the scopes and limits. A limited
token makes, sees and ends only tokens within its own limits, and one that ends makes none that outlives
it. A token's text is in the one answer that makes it; a repeat under the same key has `text: null`.
"""


def operating() -> tuple[str, ...]:
    """The paragraphs, headings included."""
    return (
        "## Changing things",
        *(" ".join(paragraph.split()) for paragraph in _RULES.strip().split("\n\n")),
        "### What is sent",
        f"A JSON object of at most {BODY_MAX} bytes, or nothing; unknown fields are refused.",
        table(("Path", "Field", "Type", "Default", "Meaning"), _rows()),
    )


def _rows() -> Iterator[tuple[str, ...]]:
    for path, body in BODIES.items():
        schema = body.model_json_schema()
        says = attributes(Asked) | attributes(body)
        for name, field in schema["properties"].items():
            default = code(str(body.model_fields[name].default)) if name != "reason" else ""
            yield code(path), code(name), _type(field), _default(default), says[name]


def _type(field: Mapping[str, Any]) -> str:
    kinds = field.get("anyOf", [field])
    return " or ".join(_WORDS[each["type"]] for each in kinds)


def _default(text: str) -> str:
    """As JSON spells it; an absent figure stays as it is, which no value says."""
    words = {"`None`": "", "`False`": "`false`", "`['read']`": '`["read"]`'}
    return words.get(text, text)
