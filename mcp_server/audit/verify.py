"""Verify: whether an audit log is as it was written, and if not, what is the first thing wrong with it.

Every record says its number, the hash of the one before and its own hash, over the very bytes of its line. So
a changed, removed, inserted or reordered line shows at that line. Two things no chain can show by itself:

- that the end is missing. Note a head elsewhere (``verify`` prints it) and ask for it with ``expect`` later.
- that somebody rewrote everything from some line on. A head noted elsewhere shows that, too.

The beginning may be missing: old files are removed. But the log says so in the chain, before it removes them,
and a beginning that is missing without such a record is named.
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mcp_server.audit.record import GENESIS, RETENTION, sealed

_BEGINNING = re.compile(rb'\{"seq":([1-9][0-9]{0,17}),"prev":"([0-9a-f]{64})",')
_RETENTION = f'"operation":"{RETENTION}"'.encode()


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the chain.

    Attributes:
        seq: a record's number.
        hash: its hash.
    """

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Break:
    """The first thing that is wrong.

    Attributes:
        file: its name; "" when it is about no one file.
        line: counted from 1; 0 when it is about no one line.
        seq: of the record there, or the one that should be; None when nobody can say.
        what: what is wrong, in one sentence.
    """

    file: str
    line: int
    seq: int | None
    what: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found.

    Attributes:
        broken: the first broken link; None when the chain holds.
        records: how many were read and hold.
        files: how many files were begun.
        first: the first record; None in an empty log.
        head: the last record that holds.
        unfinished: bytes after the last line of the last file: a record that is being written, or a torn one.
    """

    broken: Break | None
    records: int
    files: int
    first: Head | None
    head: Head | None
    unfinished: int


@dataclass
class _Walk:
    """Where the reading is."""

    records: int = 0
    files: int = 0
    first: Head | None = None
    first_prev: str = GENESIS
    head: Head | None = None
    unfinished: int = 0
    # Numbers of records at which files that were removed ended, as the chain says, with their hashes.
    ends: dict[int, str] = field(default_factory=dict)
    # Hashes of the records that are expected.
    noted: dict[int, str] = field(default_factory=dict)

    @property
    def next_seq(self) -> int | None:
        """The number that the next record should have, when that is known."""
        return None if self.head is None else self.head.seq + 1


class _Broken(Exception):
    def __init__(self, found: Break) -> None:
        super().__init__(found.what)
        self.found = found


def verify(files: Iterable[tuple[str, Iterable[bytes]]], expect: Iterable[Head] = ()) -> Verdict:
    """Read a whole log.

    Args:
        files: name and lines (with their ends) of each file, oldest first.
        expect: heads noted elsewhere that must be in the chain. One that lies before the beginning that
            retention left cannot be found any more, and counts as missing.
    """
    walk, expected = _Walk(), tuple(expect)
    try:
        for each in _with_last(files):
            _read_file(walk, *each, wanted=frozenset(head.seq for head in expected))
        _check_beginning(walk)
        _check_expected(walk, expected)
    except _Broken as broken:
        return _verdict(walk, broken.found)
    return _verdict(walk, None)


def _verdict(walk: _Walk, broken: Break | None) -> Verdict:
    return Verdict(broken, walk.records, walk.files, walk.first, walk.head, walk.unfinished)


def _with_last(
    files: Iterable[tuple[str, Iterable[bytes]]],
) -> Iterator[tuple[str, Iterable[bytes], bool]]:
    """Each file, and whether it is the last."""
    before: tuple[str, Iterable[bytes]] | None = None
    for each in files:
        if before is not None:
            yield *before, False
        before = each
    if before is not None:
        yield *before, True


def _read_file(walk: _Walk, name: str, lines: Iterable[bytes], last: bool, wanted: frozenset[int]) -> None:
    walk.files += 1
    number = 0
    for line in lines:
        number += 1
        if not line.endswith(b"\n"):
            if last:
                walk.unfinished = len(line)
                return
            raise _Broken(Break(name, number, walk.next_seq, "the file ends in the middle of this record"))
        _read_line(walk, name, number, line[:-1], wanted)
    if number == 0 and not last:
        raise _Broken(Break(name, 0, walk.next_seq, "the file is empty: its records were removed"))


def _read_line(walk: _Walk, name: str, number: int, line: bytes, wanted: frozenset[int]) -> None:
    found = _BEGINNING.match(line)
    if found is None:
        raise _Broken(Break(name, number, walk.next_seq, "this line is no record as the log writes them"))
    seq, prev, own = int(found[1]), found[2].decode(), sealed(line)
    if own is None:
        raise _Broken(Break(name, number, seq, "this record was changed: its hash is not that of its text"))
    head = walk.head
    if head is None:
        walk.first, walk.first_prev = Head(seq, own), prev
    elif seq != head.seq + 1 or prev != head.hash:
        raise _Broken(Break(name, number, seq, _what_happened(head, seq)))
    walk.head = Head(seq, own)
    walk.records += 1
    if seq in wanted:
        walk.noted[seq] = own
    if _RETENTION in line:
        _note_retention(walk, line)


def _what_happened(head: Head, seq: int) -> str:
    if seq > head.seq + 1:
        count = seq - head.seq - 1
        return f"{count} record{'s are' if count > 1 else ' is'} missing before this one, or moved behind it"
    if seq <= head.seq:
        return f"this record is out of its order: record {head.seq} stands before it"
    return "this record does not follow the one before: one of the two was replaced"


def _note_retention(walk: _Walk, line: bytes) -> None:
    """Remember where the chain says that it will begin; the text may also be an argument of somebody's."""
    members = json.loads(line)
    told = members.get("arguments")
    if members.get("operation") == RETENTION and isinstance(told, dict):
        seq, own = told.get("seq"), told.get("hash")
        if isinstance(seq, int) and isinstance(own, str):
            walk.ends[seq] = own


def _check_beginning(walk: _Walk) -> None:
    """The log begins at its beginning, or where retention left it: at or before the end that it announced."""
    first = walk.first
    if first is None or (first.seq == 1 and walk.first_prev == GENESIS):
        return
    before = first.seq - 1
    if walk.ends.get(before) == walk.first_prev:
        return
    # Retention was interrupted: some of the files that it announced are still here, up to that end.
    if any(seq > before for seq in walk.ends):
        return
    raise _Broken(
        Break("", 0, before, f"the beginning is missing: records up to {before} are gone, by no retention")
    )


def _check_expected(walk: _Walk, expected: Iterable[Head]) -> None:
    for head in expected:
        own = walk.noted.get(head.seq)
        if own is None:
            where = f"the log ends at record {walk.head.seq if walk.head else 0}"
            if walk.first is not None and head.seq < walk.first.seq:
                where = f"the log begins at record {walk.first.seq}"
            raise _Broken(Break("", 0, head.seq, f"the expected record {head.seq} is missing: {where}"))
        if own != head.hash:
            what = f"record {head.seq} is not the expected one: the chain was written anew"
            raise _Broken(Break("", 0, head.seq, what))
