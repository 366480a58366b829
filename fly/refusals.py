"""Which FlyError an answer is.

Fly's statuses alone do not tell (409 is a taken name, a full host or a lost race), so an answer is classified
by status, then by the ``status`` field of its body, then by its text: one row of RULES per case seen in the
wild: Fly's documentation, fly-go's tests, recordings. The first row that matches wins; what no row knows
falls to its bare status.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from fly.errors import (
    FlyConflict,
    FlyError,
    FlyForbidden,
    FlyHostDraining,
    FlyHostFull,
    FlyInvalid,
    FlyMachineLimit,
    FlyNameTaken,
    FlyNoCapacity,
    FlyNotFound,
    FlyNotReady,
    FlyRateLimited,
    FlyServerError,
    FlyTimeout,
    FlyUnauthorized,
    FlyUnexpected,
    FlyVolumeHostFull,
)

TEXT_MAX = 300
"""Characters of Fly's own words that are kept; the rest of an answer is never shown."""

_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: every part that is given must match.

    Attributes:
        error: what it is.
        statuses: HTTP statuses; empty means any error status, for refusals whose status nobody recorded.
        code: the ``status`` field.
        text: a part of the text, in lower case.
    """

    error: type[FlyError]
    statuses: tuple[int, ...] = ()
    code: str = ""
    text: str = ""


RULES: tuple[Rule, ...] = (
    Rule(FlyNameTaken, (409,), text="unique machine name violation"),
    Rule(FlyHostFull, (409,), text="could not reserve resource"),
    Rule(FlyHostFull, (409,), text="insufficient ips available"),
    Rule(FlyHostFull, (409,), text="insufficient resources available"),
    Rule(FlyNoCapacity, (409,), text="no capacity"),
    Rule(FlyConflict, (409,)),
    Rule(FlyVolumeHostFull, (412,), code="volume_placement_capacity"),
    Rule(FlyVolumeHostFull, (412,), text="insufficient resources to create new machine with existing volume"),
    Rule(FlyNotReady, (412,)),
    Rule(FlyNoCapacity, (422,), code="insufficient_capacity"),
    # Older answers, whose statuses were not all recorded.
    Rule(FlyNoCapacity, text="could not find a candidate host"),
    Rule(FlyNoCapacity, text="not enough capacity"),
    Rule(FlyNoCapacity, text="unable to find a host"),
    Rule(FlyHostDraining, text="deploys to this host are temporarily disabled"),
    Rule(FlyMachineLimit, text="reached its machine limit"),
    Rule(FlyRateLimited, (429,)),
    Rule(FlyRateLimited, text="rate limit exceeded"),
    Rule(FlyNotReady, (400,), text="failed_precondition"),
    Rule(FlyNotReady, (400,), text="unable to start machine from current state"),
    Rule(FlyNotReady, text="machine still attempting to start"),
    Rule(FlyUnauthorized, (401,)),
    Rule(FlyForbidden, (403,)),
    Rule(FlyNotFound, (404, 410)),
    Rule(FlyTimeout, (408,)),
    Rule(FlyInvalid, (400, 405, 413, 415, 422)),
)


def classify(status: int, code: str, text: str, rules: Iterable[Rule] = RULES) -> type[FlyError]:
    """Return what an error answer means.

    Args:
        status: the HTTP status, 300 or more.
        code: the ``status`` field of the body, or "".
        text: the ``error`` field, or whatever stood in its place.
        rules: rows in order of precedence.
    """
    lowered = text.lower()
    for rule in rules:
        if rule.statuses and status not in rule.statuses:
            continue
        if rule.code and rule.code != code:
            continue
        if rule.text and rule.text not in lowered:
            continue
        return rule.error
    return FlyServerError if status >= _SERVER_ERROR else FlyUnexpected


def read_refusal(body: bytes, content_type: str) -> tuple[str, str]:
    """Return the ``status`` field and Fly's words from an error body: JSON, plain text, or nothing.

    Some answers say ``message`` where the specification says ``error``; some have no body at all. A page of
    HTML is some proxy's, not Fly's, and says nothing that could be classified.
    """
    try:
        answer: Any = json.loads(body) if body.strip() else {}
    except ValueError:
        plain = "" if "html" in content_type else body.decode("utf-8", "replace")
        return "", readable(plain)
    if not isinstance(answer, dict):
        return "", readable(answer) if isinstance(answer, str) else ""
    code = answer.get("status")
    said = answer.get("error") or answer.get("message")
    return (readable(code) if isinstance(code, str) else ""), (
        readable(said) if isinstance(said, str) else ""
    )


def readable(text: str) -> str:
    """Return somebody else's text as one bounded, printable line."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= TEXT_MAX else line[: TEXT_MAX - 1] + "…"
