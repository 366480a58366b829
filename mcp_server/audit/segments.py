"""Segments: the files of an audit log, in order.

A log is a directory of files ``audit-<UTC day>-<number of its first record>.jsonl``. The numbers say the
order and let a reader see, without opening anything, which records a missing file held.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mcp_server.audit.record import NotARecord, read_record

_NAME = re.compile(r"audit-(\d{4}-\d{2}-\d{2})-(\d{12})\.jsonl")
_DAY_S = 86_400.0
FIRST_LINE_MAX = 1 << 20
"""No record is longer: arguments are bounded when they are masked."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One file of the log.

    Attributes:
        path: where it is.
        day: days since 1970 of the UTC day its records were written on.
        first_seq: number of its first record.
    """

    path: Path
    day: int
    first_seq: int


def utc_day(now: float) -> int:
    """Days since 1970, in UTC, of a time in Unix seconds."""
    return int(now // _DAY_S)


def segment(directory: Path, day: int, first_seq: int) -> Segment:
    """The segment of that day whose first record has that number."""
    date = datetime.fromtimestamp(day * _DAY_S, UTC).date()
    return Segment(directory / f"audit-{date.isoformat()}-{first_seq:012d}.jsonl", day, first_seq)


def segments(directory: Path) -> tuple[Segment, ...]:
    """Every file of the log, oldest first.

    Raises:
        OSError: the directory cannot be read.
    """
    return tuple(sorted(_named(directory), key=lambda each: (each.first_seq, each.day)))


def first_prev(path: Path) -> str:
    """What the first record of a file says is the hash of the one before; "" when that cannot be read."""
    try:
        with path.open("rb") as file:
            return read_record(file.readline(FIRST_LINE_MAX)).prev
    except (OSError, NotARecord):
        return ""


def _named(directory: Path) -> Iterator[Segment]:
    for path in directory.iterdir():
        named = _NAME.fullmatch(path.name)
        if named is None:
            continue
        try:
            date = datetime.fromisoformat(named[1]).replace(tzinfo=UTC)
        except ValueError:
            continue
        yield Segment(path, utc_day(date.timestamp()), int(named[2]))
