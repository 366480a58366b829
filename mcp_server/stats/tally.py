"""Tally: the figures of calls that belong together (one tool, one caller, one hour), and how they add up.

There are tens of thousands of tallies in 30 days. Those that do not change any more are kept frozen: one
bytes object of about 80 bytes and 4 for each distinct duration, a small part of what the living one takes.
"""

import struct
from array import array
from collections.abc import Mapping

from mcp_server.rule import ErrorClass, Rule
from mcp_server.stats.sketch import percentile
from mcp_server.stats.summary import Row

# calls, bytes (sum, max), tokens (sum, max), repeats, length of the ends' text.
_HEAD = struct.Struct("<QQIQIIH")
# A word is a bucket's number in its upper 10 bits and a count in the lower 22; more calls take more words.
_COUNT_BITS = 22
_COUNT_MAX = (1 << _COUNT_BITS) - 1
_UINT_MAX = (1 << 32) - 1
_CLASSES = {each.value: each for each in ErrorClass}


class Tally:
    """Counts calls.

    Attributes:
        calls: how many.
        durations: how many of those that passed the gate fell into each bucket.
        ends: how many did not end well, by ``rule/class``.
        repeats: see ``Row.repeats``.
        bytes_sum: of all answers.
        bytes_max: of the longest.
        tokens_sum: likewise, estimated.
        tokens_max: likewise.
    """

    __slots__ = (
        "bytes_max",
        "bytes_sum",
        "calls",
        "durations",
        "ends",
        "repeats",
        "tokens_max",
        "tokens_sum",
    )

    def __init__(self) -> None:
        self.calls = 0
        self.durations: dict[int, int] = {}
        self.ends: dict[str, int] = {}
        self.repeats = 0
        self.bytes_sum = self.bytes_max = 0
        self.tokens_sum = self.tokens_max = 0

    def count(self, times: int, *, duration: int | None, end: str, size: int, tokens: int) -> None:
        """Add so many equal calls.

        Args:
            times: how many.
            duration: the bucket; None for calls that were turned away at the gate.
            end: ``rule/class``; "" for an answer.
            size: bytes of each answer.
            tokens: of each answer.
        """
        self.calls += times
        if duration is not None:
            self.durations[duration] = self.durations.get(duration, 0) + times
        if end:
            self.ends[end] = self.ends.get(end, 0) + times
        self.bytes_sum += size * times
        self.tokens_sum += tokens * times
        self.bytes_max = max(self.bytes_max, size)
        self.tokens_max = max(self.tokens_max, tokens)

    def add(self, other: "Tally | bytes") -> None:
        """Add another tally, living or frozen.

        Raises:
            ValueError: the bytes are no frozen tally.
        """
        if isinstance(other, bytes):
            self._add_frozen(other)
            return
        self.calls += other.calls
        self.repeats += other.repeats
        for number, count in other.durations.items():
            self.durations[number] = self.durations.get(number, 0) + count
        for end, count in other.ends.items():
            self.ends[end] = self.ends.get(end, 0) + count
        self._add_sizes(other.bytes_sum, other.bytes_max, other.tokens_sum, other.tokens_max)

    def _add_frozen(self, frozen: bytes) -> None:
        """The same for a frozen one, without thawing it first: a month has tens of thousands of them."""
        try:
            calls, *sizes, repeats, length = _HEAD.unpack_from(frozen)
        except struct.error as error:
            raise ValueError("not a frozen tally") from error
        start = _HEAD.size + length
        self.calls += calls
        self.repeats += repeats
        self._add_sizes(*sizes)
        if length:
            for each in frozen[_HEAD.size : start].decode("ascii").split(","):
                end, _, count = each.rpartition(":")
                self.ends[end] = self.ends.get(end, 0) + int(count)
        durations = self.durations
        for word in array("I", frozen[start:]):
            number = word >> _COUNT_BITS
            durations[number] = durations.get(number, 0) + (word & _COUNT_MAX)

    def _add_sizes(self, bytes_sum: int, bytes_max: int, tokens_sum: int, tokens_max: int) -> None:
        self.bytes_sum += bytes_sum
        self.bytes_max = max(self.bytes_max, bytes_max)
        self.tokens_sum += tokens_sum
        self.tokens_max = max(self.tokens_max, tokens_max)

    def frozen(self) -> bytes:
        """The same in few bytes."""
        ends = ",".join(f"{end}:{count}" for end, count in sorted(self.ends.items())).encode()
        words = array("I")
        for number, total in sorted(self.durations.items()):
            rest = total
            while rest > 0:
                words.append(number << _COUNT_BITS | min(rest, _COUNT_MAX))
                rest -= _COUNT_MAX
        head = _HEAD.pack(
            self.calls,
            self.bytes_sum,
            min(self.bytes_max, _UINT_MAX),
            self.tokens_sum,
            min(self.tokens_max, _UINT_MAX),
            min(self.repeats, _UINT_MAX),
            len(ends),
        )
        return head + ends + words.tobytes()

    def row(self, key: str, name: str = "") -> Row:
        """The figures as they are told."""
        errors: dict[ErrorClass, int] = {}
        for end, count in self.ends.items():
            told = _CLASSES.get(end.rpartition("/")[2], ErrorClass.INTERNAL)
            errors[told] = errors.get(told, 0) + count
        return Row(
            key=key,
            name=name,
            calls=self.calls,
            p50_ms=percentile(self.durations, 0.50),
            p95_ms=percentile(self.durations, 0.95),
            p99_ms=percentile(self.durations, 0.99),
            errors=errors,
            schema_failures=errors.get(ErrorClass.VALIDATION, 0),
            timeouts=errors.get(ErrorClass.TIMEOUT, 0) + _dispatcher_timeouts(self.ends),
            rejected_rate=errors.get(ErrorClass.RATE_LIMITED, 0),
            rejected_permission=errors.get(ErrorClass.PERMISSION, 0),
            rejected_authentication=errors.get(ErrorClass.AUTHENTICATION, 0),
            repeats=self.repeats,
            bytes_sum=self.bytes_sum,
            bytes_max=self.bytes_max,
            tokens_sum=self.tokens_sum,
            tokens_max=self.tokens_max,
        )


def thawed(frozen: bytes) -> Tally:
    """The tally that was frozen.

    Raises:
        ValueError: the bytes are none.
    """
    tally = Tally()
    tally.add(frozen)
    return tally


def _dispatcher_timeouts(ends: Mapping[str, int]) -> int:
    """Timeouts of questions to the dispatcher, whose class is that of everything upstream."""
    wanted = f"{Rule.DISPATCHER_TIMEOUT}/{ErrorClass.UPSTREAM}"
    return ends.get(wanted, 0)
