"""Masking: what a record may quote of a caller's arguments.

Enough to see afterwards what was asked, and never a credential that somebody's agent pasted into a question.
Arguments are recorded before anybody has validated them, so everything here has a bound: text, depth, the
number of values. What a record shows cannot hide or reorder what stands beside it.
"""

import json
import re
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from mcp_server.credentials import looks_secret
from runners.wire.text import shown

MASKED = "[masked]"
MORE = "[more]"
"""Stands for whatever is beyond a bound."""
NUMBER = "[number]"
"""Stands for a number that JSON or a reader cannot hold."""

TEXT_MAX = 200
NAME_MAX = 64
DEPTH_MAX = 4
VALUES_MAX = 100
"""Of one call altogether, at every depth; no tool takes a tenth of it."""
QUOTED_MAX = 4096
"""Bytes of JSON that all texts of one call take at most: a flood of long ones must not fill the disk."""
READ_MAX = 16_384
"""Characters of all texts of one call that are looked at, since looking for credentials takes its time."""
_SEARCHED = 2048
_CUT = "…"
_NUMBER_MAX = 2**63

# An argument of such a name holds a credential whatever it looks like.
_SECRET_NAME = re.compile(
    r"token|secret|passw|authoriz|credential|api[-_ ]?key|private[-_ ]?key|cookie|bearer", re.IGNORECASE
)


def masked(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """``arguments`` as a record may quote them: JSON values only, bounded, without credentials."""
    quoted: dict[str, Any] = _Quoting().mapping(arguments, 0)
    return quoted


def masked_text(text: str, limit: int = TEXT_MAX) -> str:
    """``text`` on one line, bounded, or ``MASKED`` when there is a credential in it."""
    head = text[:_SEARCHED]
    # Hidden characters inside a credential must not hide it, so what is shown is searched as well.
    cleaned = shown(head, _SEARCHED)
    if looks_secret(head) or looks_secret(cleaned):
        return MASKED
    short = shown(cleaned, limit)
    if len(text) > _SEARCHED and not short.endswith(_CUT):
        return short[: limit - 1] + _CUT
    return short


class _Quoting:
    """One pass over one call's arguments; counts what it has read and quoted."""

    def __init__(self) -> None:
        self._left = VALUES_MAX
        self._readable = READ_MAX
        self._room = QUOTED_MAX

    def mapping(self, values: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        quoted = {}
        for name, value in islice(values.items(), max(0, self._left)):
            named = self._text(str(name)[:_SEARCHED], NAME_MAX)
            if named == MORE:
                break
            harmless = value is None or isinstance(value, int | float)
            hidden = not harmless and _SECRET_NAME.search(named) is not None
            quoted[named] = MASKED if hidden else self._value(value, depth + 1)
        if len(quoted) < len(values):
            quoted[MORE] = MORE
        return quoted

    def _text(self, text: str, limit: int = TEXT_MAX) -> str:
        """The text, masked; ``MORE`` once there was enough of it."""
        if self._readable <= 0 or self._room <= 0:
            return MORE
        self._readable -= min(len(text), _SEARCHED)
        quoted = masked_text(text, limit)
        self._room -= len(json.dumps(quoted))
        return quoted

    def _sequence(self, values: Sequence[Any], depth: int) -> list[Any]:
        quoted = [self._value(value, depth + 1) for value in islice(values, max(0, self._left))]
        return quoted if len(quoted) == len(values) else [*quoted, MORE]

    def _value(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > DEPTH_MAX:
            return MORE
        if isinstance(value, str):
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int | float):
            return value if -_NUMBER_MAX < value < _NUMBER_MAX else NUMBER
        if isinstance(value, Mapping):
            return self.mapping(value, depth)
        if isinstance(value, list | tuple):
            return self._sequence(value, depth)
        return MORE
