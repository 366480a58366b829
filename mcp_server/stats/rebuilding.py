"""Rebuilding: what the records of one audit file come to, from its kept figures or from the records."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from mcp_server.audit.reading import whole_lines
from mcp_server.audit.record import NotARecord, read_record
from mcp_server.stats.counting import Counting
from mcp_server.stats.hours import Hours, by_day
from mcp_server.stats.kept import Figures, Named, read, write

log = structlog.get_logger()


def settled(hours: Hours, names: Mapping[tuple[str, str], Named], size: int, head: str) -> Figures:
    """What the hours of a file come to.

    Args:
        hours: of a file that gets no more records.
        names: of callers; those who called are kept.
        size: bytes of the file.
        head: hash of its last record.
    """
    spans = hours.settled()
    callers = {(mark.project, mark.caller) for span in spans.values() for mark in span.tallies}
    known = {pair: named for pair, named in names.items() if pair in callers}
    return Figures(size, head, by_day(spans), spans, known)


def keep(audit_file: Path, figures: Figures) -> None:
    """Write figures down; without them the next start only takes longer."""
    try:
        write(audit_file, figures)
    except OSError as error:
        log.warning("statistics not kept", file=audit_file.name, why=error.strerror)


def figures_of(audit_file: Path, counting: Counting, hours_from: int) -> Figures:
    """The figures of a file that gets no more records.

    Raises:
        OSError: its records are needed and cannot be read.
    """
    kept = read(audit_file, hours_from)
    if kept is not None:
        counting.learn(kept.names)
        return kept
    hours = Hours()
    size, head = _count_from(audit_file, 0, counting, hours)
    figures = settled(hours, counting.names, size, head)
    keep(audit_file, figures)
    return figures


def hours_so_far(audit_file: Path, counting: Counting) -> Hours:
    """The hours of a file that gets more records: as kept when it was last left, and what came after that.

    Raises:
        OSError: it cannot be read.
    """
    hours = Hours()
    kept = read(audit_file, 0)
    if kept is not None:
        counting.learn(kept.names)
        hours.spans.update(kept.hours)
    _count_from(audit_file, 0 if kept is None else kept.size, counting, hours)
    return hours


def _count_from(audit_file: Path, start: int, counting: Counting, hours: Hours) -> tuple[int, str]:
    """Count the records behind byte ``start``; how far that went, and the last record's hash."""
    size, head = start, ""
    for line in whole_lines(audit_file, start):
        size += len(line)
        try:
            record = read_record(line)
        except NotARecord:
            continue
        head = record.hash
        counting.count(record.entry, hours)
    return size, head
