"""Query: records of the audit log by who, what, how it ended and when; the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mcp_server.audit.reading import newest_lines
from mcp_server.audit.record import OWN, NotARecord, Record, read_record
from mcp_server.audit.segments import Segment, segments

# Records of calls that took long are written after later ones were begun; no call may take longer than this.
_DISORDER_S = 300.0


@dataclass(frozen=True, slots=True)
class Query:
    """Which records; None asks for all.

    Attributes:
        caller: the caller's id or name.
        tool: the tool's name or the resource's URI.
        rule: what decided.
        result: ``ok``, an error class, or ``failed`` for everything but ``ok``.
        call: the call's id.
        since: begun at this time or later, Unix seconds.
        until: begun before this time.
        before: only records with a smaller number: the cursor.
        remarks: whether the log's own remarks are asked for, too.
    """

    caller: str | None = None
    tool: str | None = None
    rule: str | None = None
    result: str | None = None
    call: str | None = None
    since: float | None = None
    until: float | None = None
    before: int | None = None
    remarks: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Some answers.

    Attributes:
        records: the newest first.
        cursor: give it back as ``before`` for the next page; None when there is no more.
        unreadable: lines that were no records; ``verify`` says more.
    """

    records: tuple[Record, ...]
    cursor: int | None
    unreadable: int


def query(directory: Path, asked: Query, limit: int) -> Page:
    """The newest ``limit`` records that match.

    Raises:
        OSError: the log cannot be read.
    """
    found: list[Record] = []
    unreadable = 0
    for record in _newest_first(directory, asked):
        if record is None:
            unreadable += 1
        elif asked.since is not None and record.entry.at < asked.since - _DISORDER_S:
            break
        elif matches(record, asked):
            if len(found) == limit:
                return Page(tuple(found), found[-1].seq, unreadable)
            found.append(record)
    return Page(tuple(found), None, unreadable)


def matches(record: Record, asked: Query) -> bool:
    """Whether a record is one of those asked for."""
    entry = record.entry
    own = entry.operation.startswith(OWN)
    wrong_result = asked.result is not None and (
        entry.result == "ok" if asked.result == "failed" else entry.result != asked.result
    )
    return not (
        (own and not asked.remarks)
        or wrong_result
        or (asked.caller is not None and asked.caller not in (entry.caller, entry.caller_name))
        or (asked.tool is not None and asked.tool != entry.target)
        or (asked.rule is not None and asked.rule != entry.rule)
        or (asked.call is not None and asked.call != entry.call_id)
        or (asked.since is not None and entry.at < asked.since)
        or (asked.until is not None and entry.at >= asked.until)
        or (asked.before is not None and record.seq >= asked.before)
    )


def _newest_first(directory: Path, asked: Query) -> Iterator[Record | None]:
    """Records from the newest; None for a line that is none."""
    hints = _hints(asked)
    for each in reversed(segments(directory)):
        if asked.before is not None and each.first_seq >= asked.before:
            continue
        try:
            yield from _of(each, hints)
        except FileNotFoundError:
            # The oldest file was removed meanwhile: there is nothing older than what was read.
            return


def _of(each: Segment, hints: tuple[bytes, ...]) -> Iterator[Record | None]:
    for line in newest_lines(each.path):
        if not all(hint in line for hint in hints):
            continue
        try:
            yield read_record(line)
        except NotARecord:
            yield None


def _hints(asked: Query) -> tuple[bytes, ...]:
    """Text that a matching line must hold somewhere: it saves reading most of the others as JSON."""
    plain = [text for text in (asked.rule, asked.call, asked.tool, asked.caller) if text is not None]
    return tuple(f'"{text}"'.encode() for text in plain if text.isascii() and _plain(text))


def _plain(text: str) -> bool:
    return text.isprintable() and not set(text) & set('"\\')
