"""Summary: what this server's own calls were like over a window, and StatsSource, which can tell.

A figure is a sum over whole hours (the last day) or whole UTC days (before that), so a window begins at
``since``, up to one such unit earlier than was asked for; it never counts less than was asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from mcp_server.rule import ErrorClass

HOUR_S = 3600.0
DAY_S = 86_400.0
WINDOWS: Mapping[str, float] = {"24h": DAY_S, "7d": 7 * DAY_S, "30d": 30 * DAY_S}
"""The windows that are offered, by the name a question uses; any other length up to the longest works too."""

UNKNOWN = "(unknown)"
"""Stands for a tool or a resource that this server does not have, and for a caller without an id."""
OTHER = "(other)"
"""Stands for callers beyond the number that is told apart."""


@dataclass(frozen=True, slots=True)
class Row:
    """The calls of one tool, of one caller, or of all of them.

    Attributes:
        key: the tool's name or the caller's id; "" for all. ``UNKNOWN`` and ``OTHER`` may stand for several.
        name: what a person calls the caller; "" for a tool and for all.
        calls: how many, answered or refused.
        p50_ms: half of the calls that passed the checkpoint's gate took no longer; None without any. Calls
            turned away at the gate (token, permission, rate) are not in the percentiles: they take no time.
        p95_ms: likewise 95 of 100.
        p99_ms: likewise 99 of 100.
        errors: how many calls ended in each class; a class that did not occur is absent.
        schema_failures: calls whose tool or arguments were wrong.
        timeouts: calls, or questions of theirs to the dispatcher, whose time was over.
        rejected_rate: turned away because of too many calls.
        rejected_permission: turned away because the caller may not ask this.
        rejected_authentication: turned away because nobody knows who asked.
        repeats: failing calls that had failed in just the same way before, within the same hour.
        bytes_sum: bytes of all answers.
        bytes_max: bytes of the longest answer.
        tokens_sum: estimated tokens of all answers.
        tokens_max: estimated tokens of the longest answer.
    """

    key: str
    name: str
    calls: int
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    errors: Mapping[ErrorClass, int]
    schema_failures: int
    timeouts: int
    rejected_rate: int
    rejected_permission: int
    rejected_authentication: int
    repeats: int
    bytes_sum: int
    bytes_max: int
    tokens_sum: int
    tokens_max: int


@dataclass(frozen=True, slots=True)
class FailingCall:
    """One and the same call (caller, tool, arguments) refused by one and the same rule, again and again.

    Attributes:
        caller: their id; of somebody whom nobody knows, the word that stands for that in the record.
        tool: as in ``Row.key``.
        rule: what refused it, a ``Rule`` value.
        count: how often, at least 2.
        first_at: when it first failed within the window, Unix seconds.
        last_at: when it last failed.
    """

    caller: str
    tool: str
    rule: str
    count: int
    first_at: float
    last_at: float


@dataclass(frozen=True, slots=True)
class Summary:
    """The calls of one project over a window.

    Attributes:
        since: where the window really begins, Unix seconds.
        until: where it ends: now.
        relative_error: percentiles are right within this share of themselves.
        total: everything that was asked for.
        by_tool: most calls first. With a caller given, theirs alone.
        by_caller: most calls first. With a tool given, its alone.
        failing: storms, the largest first, a bounded number. Those of unknown callers are in it too.
        unknown_callers: calls of nobody who is known, of the whole server: they belong to no project and are
            in no other figure.
    """

    since: float
    until: float
    relative_error: float
    total: Row
    by_tool: tuple[Row, ...]
    by_caller: tuple[Row, ...]
    failing: tuple[FailingCall, ...]
    unknown_callers: int


class StatsSource(Protocol):
    """Tells about this server's own calls."""

    def summary(self, window_s: float, *, project: str, caller: str | None, tool: str | None) -> Summary:
        """The calls of ``project`` in the last ``window_s`` seconds.

        Args:
            window_s: more than zero; what is older than the longest of ``WINDOWS`` is not known any more.
            project: whose callers.
            caller: the id of the only caller to count; None for all of the project.
            tool: the only tool to count; None for all.
        """
        ...
