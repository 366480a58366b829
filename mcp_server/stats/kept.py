"""Kept: the figures of one audit file, in a file beside it, so that a start need not read every record again.

Derived and worth nothing by itself: one that is missing, of another version, cut short or not of the file as
it is now is made anew from the records. Lines of JSON; days come first: of old files only they are read.
"""

import base64
import json
import mmap
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mcp_server.stats.failing import Failure, Occurrences
from mcp_server.stats.hours import Mark, Span

VERSION = 1
_SUFFIX = ".stats"
_HEAD_TO_END = len('"}\n') + 64


@dataclass(frozen=True, slots=True)
class Named:
    """What a person calls a caller.

    Attributes:
        name: it.
        hour: when they last called, hours since 1970.
    """

    name: str
    hour: int


@dataclass(slots=True)
class Figures:
    """What an audit file's records come to.

    Attributes:
        size: the file's bytes that are covered.
        head: hash of the last record that is covered.
        days: by day.
        hours: by hour.
        names: by project and caller's id.
    """

    size: int
    head: str
    days: dict[int, Span] = field(default_factory=dict)
    hours: dict[int, Span] = field(default_factory=dict)
    names: dict[tuple[str, str], Named] = field(default_factory=dict)


def beside(audit_file: Path) -> Path:
    """Where the figures of an audit file are kept."""
    return audit_file.with_name(audit_file.name + _SUFFIX)


def write(audit_file: Path, figures: Figures) -> None:
    """Keep them; whoever reads sees the whole of it or nothing.

    Raises:
        OSError: it cannot be written.
    """
    path = beside(audit_file)
    draft = path.with_name(path.name + ".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor with the right mode
        file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in _lines(figures))
    draft.replace(path)


def read(audit_file: Path, hours_from: int) -> Figures | None:
    """The kept figures, when they are those of the file as it is; None otherwise.

    Args:
        audit_file: whose.
        hours_from: hours are read when there is one that is not before this one.
    """
    try:
        with beside(audit_file).open(encoding="ascii") as file:
            kind, version, size, head, last_hour = json.loads(file.readline())
            if kind != "figures" or version != VERSION or not _covers(audit_file, size, head):
                return None
            figures = Figures(size, head)
            for text in file:
                line = json.loads(text)
                if line[0] == "end" or (line[0] == "hours" and last_hour < hours_from):
                    return figures
                _take(figures, line)
    except (OSError, ValueError, TypeError, LookupError):
        return None
    return None


def _lines(figures: Figures) -> Iterator[list[Any]]:
    last_hour = max(figures.hours, default=0)
    yield ["figures", VERSION, figures.size, figures.head, last_hour]
    for (project, caller), named in figures.names.items():
        yield ["name", project, caller, named.name, named.hour]
    yield from _spans("day", figures.days)
    yield ["hours"]
    yield from _spans("hour", figures.hours)
    yield ["end"]


def _spans(kind: str, spans: Mapping[int, Span]) -> Iterator[list[Any]]:
    for number, span in sorted(spans.items()):
        for mark, tally in span.tallies.items():
            frozen = tally if isinstance(tally, bytes) else tally.frozen()
            yield [kind, number, *mark, base64.b64encode(frozen).decode()]
        for failure, told in span.failing.table.items():
            yield [f"{kind} failing", number, *failure, told.count, told.first_at, told.last_at]


def _take(figures: Figures, line: list[Any]) -> None:
    kind = line[0]
    if kind == "name":
        figures.names[line[1], line[2]] = Named(line[3], line[4])
    elif kind in ("day", "hour"):
        spans = figures.days if kind == "day" else figures.hours
        mark = Mark(line[2], line[3], line[4])
        spans.setdefault(line[1], Span()).tallies[mark] = base64.b64decode(line[5])
    elif kind in ("day failing", "hour failing"):
        spans = figures.days if kind == "day failing" else figures.hours
        failure, told = Failure(*line[2:7]), Occurrences(*line[7:10])
        spans.setdefault(line[1], Span()).failing.add(failure, told)


def _covers(audit_file: Path, size: int, head: str) -> bool:
    """Whether the record that ends at byte ``size`` of the audit file has that hash."""
    with audit_file.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        told = content[size - _HEAD_TO_END : size]
        return len(content) >= size and told == f'{head}"}}\n'.encode()
