"""Words: the kinds of text that an answer may hold, each made safe by its type so that no tool can forget.

What other people wrote is Quoted or Brief: cleaned, bounded, and declared ``untrusted`` in the schema. Every
other text is a word of a closed form: a Reason, a state, a name that the operator chose in the configuration.
One that has not its form is replaced, never passed on.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from runners.wire.text import Untrusted, shown

UNKNOWN = "unknown"
BRIEF_MAX = 80
"""Characters of other people's text in a row of a list; a deep read has more."""

_WORD = re.compile(r"[a-z0-9_]{1,64}")
# Pools, apps, regions, images, Machines, runners, credentials, as configuration or dispatcher call them.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}")
_LABEL_MAX = 64
_CONCLUSIONS = frozenset(
    {
        "success",
        "failure",
        "cancelled",
        "skipped",
        "neutral",
        "timed_out",
        "action_required",
        "stale",
        "startup_failure",
    }
)


def word(text: str) -> str:
    """``text`` when it is a Reason, a state or a verb; otherwise ``unknown``."""
    return text if _WORD.fullmatch(text) else UNKNOWN


def name(text: str) -> str:
    """``text`` when configuration could hold such a name; otherwise ``unknown``."""
    return text if _NAME.fullmatch(text) else UNKNOWN


def conclusion(text: str) -> str:
    """``text`` when it is one of GitHub's conclusions; otherwise ``unknown``."""
    return text if text in _CONCLUSIONS else UNKNOWN


def _as(check: Any) -> BeforeValidator:
    return BeforeValidator(lambda value: check(value) if isinstance(value, str) else value)


def _brief(text: str) -> str:
    if len(text) <= BRIEF_MAX and text.isascii() and text.isprintable():
        # Nearly every name is so, and a long list has many of them.
        return text.strip()
    return shown(text, BRIEF_MAX)


def _label(text: str) -> str:
    return shown(text, _LABEL_MAX)


Word = Annotated[str, _as(word)]
Conclusion = Annotated[str, _as(conclusion)]
Name = Annotated[str, _as(name)]
Label = Annotated[str, _as(_label)]
"""A label of a pool: the operator's own choice, which may hold any printable character."""
Sentence = Annotated[str, _as(shown)]
"""A sentence that the dispatcher says of a Reason, the same for everybody, without particulars."""
Quoted = Untrusted
Brief = Annotated[str, _as(_brief), Field(max_length=BRIEF_MAX, json_schema_extra={"untrusted": True})]
