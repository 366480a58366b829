"""Rates: how much each caller may ask, under a ceiling for their whole project.

Token buckets over times that are passed in; no clock, no I/O. Credits are whole numbers and time is counted
in microseconds, so the edges are exact: a caller who comes back when told is admitted, and a microsecond
earlier is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from mcp_server.rule import Rule

# A float of today's Unix seconds is good to a quarter of a microsecond.
_TICKS = 1_000_000
_MINUTE_TICKS = 60 * _TICKS
# Rates are settings that people write: a millionth of a call per minute is finer than anybody needs.
_FINEST = 1_000_000
_FEW = 64


@dataclass(frozen=True, slots=True)
class Admitted:
    """The call may go on, and is counted."""


@dataclass(frozen=True, slots=True)
class Limited:
    """The call may not go on; it cost nothing.

    Attributes:
        rule: CALLER_RATE or PROJECT_RATE: the limit that lasts longest.
        retry_after_s: seconds after which the same call is admitted, if nobody of the project calls before.
    """

    rule: Rule
    retry_after_s: float


class Rates:
    """Counts calls.

    Args:
        calls_per_minute: of each caller in the long run.
        burst: calls of a caller at once after a pause.
        project_calls_per_minute: of all callers of one project; so many may also come at once.
    """

    def __init__(self, calls_per_minute: float, burst: int, project_calls_per_minute: float) -> None:
        self._callers = _Buckets(calls_per_minute, burst)
        self._projects = _Buckets(project_calls_per_minute, max(1, int(project_calls_per_minute)))
        self._told: int | None = None
        self._passed = 0

    def admit(self, caller: str, project: str, now: float) -> Admitted | Limited:
        """Decide about one call, and count it if it is admitted.

        Args:
            caller: whose bucket.
            project: whose ceiling.
            now: Unix seconds; when they go back, no time has passed.
        """
        at = self._advance(round(now * _TICKS))
        by_caller, by_project = self._callers.wait(caller, at), self._projects.wait(project, at)
        if not by_caller and not by_project:
            self._callers.take(caller, at)
            self._projects.take(project, at)
            return Admitted()
        rule = Rule.CALLER_RATE if by_caller >= by_project else Rule.PROJECT_RATE
        return Limited(rule, max(by_caller, by_project) / _TICKS)

    @property
    def remembered(self) -> int:
        """How many buckets are held in memory: those that are not full, and at most as many again."""
        return len(self._callers.levels) + len(self._projects.levels)

    def _advance(self, told: int) -> int:
        """Time that has passed since the first call: what a clock takes back is not counted twice."""
        if self._told is not None:
            self._passed += max(0, told - self._told)
        self._told = told
        return self._passed


class _Buckets:
    """Buckets of one size, by name. A bucket that is not held is full.

    A call costs ``_cost`` credits and each tick gives ``_gain``, both whole. What is held of a bucket is how
    many credits it lacked, and when.
    """

    def __init__(self, per_minute: float, size: int) -> None:
        rate = Fraction(per_minute).limit_denominator(_FINEST)
        if rate <= 0 or size < 1:
            raise ValueError(f"a rate limit needs positive figures, got {per_minute:g} a minute and {size}")
        self._gain = rate.numerator
        self._cost = rate.denominator * _MINUTE_TICKS
        self._room = (size - 1) * self._cost
        self._held: dict[str, tuple[int, int]] = {}
        self._sweep_at = _FEW

    @property
    def levels(self) -> Mapping[str, tuple[int, int]]:
        """What is held."""
        return self._held

    def wait(self, name: str, at: int) -> int:
        """Ticks until a call fits; 0 when it does now."""
        over = self._lacking(name, at) - self._room
        return -(-over // self._gain) if over > 0 else 0

    def take(self, name: str, at: int) -> None:
        """Count one call."""
        self._held[name] = (self._lacking(name, at) + self._cost, at)
        if len(self._held) > self._sweep_at:
            self._forget_full(at)

    def _lacking(self, name: str, at: int) -> int:
        lacking, since = self._held.get(name, (0, at))
        return max(0, lacking - (at - since) * self._gain)

    def _forget_full(self, at: int) -> None:
        self._held = {name: held for name, held in self._held.items() if self._lacking(name, at)}
        # Doubling makes the sweeps cost each call a constant.
        self._sweep_at = max(_FEW, 2 * len(self._held))
