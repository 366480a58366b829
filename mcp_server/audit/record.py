r"""Entry and Record: what the audit log says about one call, and how each record is bound to the one before.

A record is one line of JSON. Its last member, ``hash``, is the SHA-256 of the line without that member (and
without the line's end); ``prev`` is the hash of the record before, so nobody can change, remove, insert or
reorder a line without every later hash being wrong. Anyone can check a line without our code::

    sed -n 7p FILE | tr -d '\n' | sed 's/,"hash":"[0-9a-f]*"}$/}/' | sha256sum

The text is pure ASCII: whatever a record quotes cannot reorder or hide what a terminal shows of it.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from mcp_server.rule import Rule

GENESIS = "0" * 64
"""``prev`` of the very first record."""

OWN = "audit/"
"""Operations that begin like this are the log's own remarks, not calls."""
OPENED = "audit/opened"
"""A process began to write here."""
RECOVERED = "audit/recovered"
"""Writing had failed, or a process had died while it wrote: what no answer rests on was cut off.
``arguments`` say why, where, how many bytes, and how many calls were refused meanwhile."""
RETENTION = "audit/retention"
"""Old files end here: ``arguments`` name the last record that was removed, ``seq`` and ``hash``."""

# ensure_ascii also makes a lone surrogate writable. allow_nan is off because NaN is not JSON.
_encode = json.JSONEncoder(ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode
_HASH_CHARS = len(',"hash":""}') + 64
_FRAME_CHARS = len('{"seq":,"prev":"",') + 64 + _HASH_CHARS + len("\n")


class NotARecord(ValueError):
    """A line is not a record as this module writes them."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One call, as it is remembered.

    Attributes:
        at: when the call began, Unix seconds.
        call_id: names the call, to the dispatcher too.
        operation: the protocol's method, or one of the log's own remarks.
        target: the tool's name or the resource's URI, masked; "" for lists.
        arguments: masked (``audit.masking``): JSON values only.
        caller: the caller's id; "" when nobody is known.
        caller_name: what a person calls them.
        project: theirs.
        transport: ``http`` or ``stdio``.
        protocol: the protocol version spoken.
        allowed: whether the checkpoint let the call run; False for whoever was turned away at its gate.
        rule: what decided, a ``Rule`` value.
        result: ``ok`` or an ``ErrorClass`` value.
        stale: whether the answer said that it may no longer hold.
        duration_ms: from the call's arrival until its answer was ready to be recorded.
        bytes: of the answer.
        tokens: of the answer, estimated.
        revision: of the fleet that was served; None when none was.
        upstream_ids: request ids of the questions that the dispatcher was asked for this call.
        repeats: so many calls of this caller that the same rule refused at the same time this record stands
            for; everything else in it is of the first of them.
    """

    at: float
    call_id: str
    operation: str
    target: str
    arguments: Mapping[str, Any]
    caller: str
    caller_name: str
    project: str
    transport: str
    protocol: str
    allowed: bool
    rule: str
    result: str
    stale: bool
    duration_ms: float
    bytes: int
    tokens: int
    revision: int | None
    upstream_ids: tuple[str, ...]
    repeats: int = 1


@dataclass(frozen=True, slots=True)
class Record:
    """An entry with its place in the chain.

    Attributes:
        seq: 1 for the first record ever, then one more each.
        prev: hash of the record before; ``GENESIS`` for the first.
        hash: of this record.
        entry: what it says.
    """

    seq: int
    prev: str
    hash: str
    entry: Entry


_FIELDS = tuple(field.name for field in fields(Entry))


def remark(operation: str, at: float, target: str, arguments: Mapping[str, Any]) -> Entry:
    """Something that the log says of itself.

    Args:
        operation: one of those that begin with ``OWN``.
        at: Unix seconds.
        target: the file it is about.
        arguments: particulars.
    """
    return Entry(
        at=at,
        call_id="",
        operation=operation,
        target=target,
        arguments=arguments,
        caller="",
        caller_name="",
        project="",
        transport="",
        protocol="",
        allowed=True,
        rule=Rule.ALLOWED.value,
        result="ok",
        stale=False,
        duration_ms=0.0,
        bytes=0,
        tokens=0,
        revision=None,
        upstream_ids=(),
    )


def content(entry: Entry) -> str:
    """The entry's members as JSON, without the braces; what ``chained`` puts into a line.

    Raises:
        TypeError: an argument is no JSON value.
        ValueError: likewise; NaN and infinities are none.
    """
    return _encode({name: getattr(entry, name) for name in _FIELDS})[1:-1]


def chained(entry: Entry, inner: str, seq: int, prev: str) -> tuple[Record, bytes]:
    """The record of ``entry`` after the one with hash ``prev``, and its line with the line's end.

    Args:
        entry: what it says.
        inner: ``content(entry)``, which may have been made earlier.
        seq: its number.
        prev: the hash of the record before.
    """
    body = f'{{"seq":{seq},"prev":"{prev}",{inner}'
    own = hashlib.sha256(f"{body}}}".encode()).hexdigest()
    return Record(seq, prev, own, entry), f'{body},"hash":"{own}"}}\n'.encode()


def line_bytes(inner: str, seq: int) -> int:
    """How long the line of a record is, with its end, given its number and ``content``."""
    return _FRAME_CHARS + len(str(seq)) + len(inner)


def sealed(line: bytes) -> str | None:
    """The hash of a line without its end, when the line says the same hash of itself; otherwise None."""
    head, own = line[:-_HASH_CHARS], line[-66:-2]
    if line[-_HASH_CHARS:] != b',"hash":"' + own + b'"}':
        return None
    computed = hashlib.sha256(head + b"}").hexdigest()
    return computed if computed.encode() == own else None


def read_record(line: bytes | str) -> Record:
    """The record that a line holds; its hash is not checked here.

    Raises:
        NotARecord: the line is none.
    """
    try:
        return as_record(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise NotARecord("not a record of the audit log") from error


def as_record(members: Any) -> Record:
    """The record that a line's JSON holds.

    Raises:
        NotARecord: it is none; which member is missing or unknown is told.
    """
    try:
        members = dict(members)
        place = members.pop("seq"), members.pop("prev"), members.pop("hash")
        members["upstream_ids"] = tuple(members["upstream_ids"])
        return Record(*place, Entry(**members))
    except (TypeError, KeyError, ValueError) as error:
        raise NotARecord(f"not a record of the audit log: {error}") from error
