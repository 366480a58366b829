"""Batch: the records that one sync makes durable, and Chain, which makes batches of what waits.

Everything here happens on the event loop and touches no file: where a record goes (this file or the next),
what number and hash it has, and which remarks of the log's own stand before it.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mcp_server.audit.record import RETENTION, Entry, Record, chained, content, line_bytes, remark
from mcp_server.audit.segments import Segment, segment, utc_day

BATCH_MAX = 512
"""Records a sync covers at most, so that those who came first do not wait for a long write."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What is written at once.

    Attributes:
        records: in their order.
        own: how many of them, at the beginning, are remarks of the log's own.
        data: their lines.
        begin: the file that begins with them; None for the current one.
        expired: files that may go once this is durable.
    """

    records: Sequence[Record]
    own: int
    data: bytes
    begin: Segment | None
    expired: tuple[Segment, ...]


@dataclass
class Place:
    """Where the log stands: all of it durable.

    Attributes:
        seq: number of the last record.
        hash: its hash.
        segment: the file it is in; None for a new log.
        size: that file's bytes.
        older: the files before, oldest first, each with the ``prev`` of its first record.
    """

    seq: int
    hash: str
    segment: Segment | None
    size: int
    older: list[tuple[Segment, str]]
    first_prev: str = ""


class Chain:
    """Makes batches, and remembers what became durable.

    Args:
        directory: where files begin.
        place: where the log stands.
        keep_days: days that records are kept at least.
        file_max_bytes: past this a file is not grown; one record alone may be longer.
    """

    def __init__(self, directory: Path, place: Place, *, keep_days: int, file_max_bytes: int) -> None:
        self._directory = directory
        self._place = place
        self._keep_days = keep_days
        self._file_max_bytes = file_max_bytes

    @property
    def place(self) -> Place:
        """Where the log stands."""
        return self._place

    def batch(
        self, waiting: Sequence[tuple[Entry, str]], remarks: Sequence[Entry], now: float, *, afresh: bool
    ) -> Batch:
        """The next records to write: as many of those waiting as go into one file.

        Args:
            waiting: entries with their content; there is at least one, or a remark.
            remarks: what the log says of itself before them.
            now: Unix seconds.
            afresh: begin a new file whatever the current one is like.
        """
        own = [(entry, content(entry)) for entry in remarks]
        begin = self._begin(now, line_bytes((own or waiting)[0][1], self._place.seq + 1), afresh=afresh)
        expired: tuple[Segment, ...] = ()
        if begin is not None or own:
            expired = self._expired(now)
            if expired:
                told = self._retention(expired, now)
                own.append((told, content(told)))
        lines: list[bytes] = []
        records: list[Record] = []
        size = 0 if begin else self._place.size
        seq, prev = self._place.seq, self._place.hash
        queue = deque([*own, *waiting[:BATCH_MAX]])
        while queue:
            entry, inner = queue.popleft()
            record, line = chained(entry, inner, seq + 1, prev)
            if len(records) >= max(1, len(own)) and size + len(line) > self._file_max_bytes:
                break
            seq, prev, size = record.seq, record.hash, size + len(line)
            records.append(record)
            lines.append(line)
        return Batch(records, len(own), b"".join(lines), begin, expired)

    def durable(self, batch: Batch) -> tuple[Segment, int, str] | None:
        """Go on behind ``batch``; the file that was closed by it, its size and its last hash, if one was."""
        place, closed = self._place, None
        if batch.begin is not None:
            if place.segment is not None:
                closed = (place.segment, place.size, place.hash)
                place.older.append((place.segment, place.first_prev))
            place.segment, place.size, place.first_prev = batch.begin, 0, batch.records[0].prev
        place.seq, place.hash = batch.records[-1].seq, batch.records[-1].hash
        place.size += len(batch.data)
        return closed

    def removed(self, gone: Sequence[Segment]) -> None:
        """Forget files that are not there any more."""
        self._place.older = [each for each in self._place.older if each[0] not in gone]

    def _begin(self, now: float, first: int, *, afresh: bool) -> Segment | None:
        """The new file that the next record needs; None when the current one serves."""
        place, today = self._place, utc_day(now)
        if place.segment is not None:
            # A clock that is set back begins no file: the days of the files follow their order.
            today = max(today, place.segment.day)
            full = place.size > 0 and place.size + first > self._file_max_bytes
            if not afresh and not full and today == place.segment.day:
                return None
        return segment(self._directory, today, place.seq + 1)

    def _expired(self, now: float) -> tuple[Segment, ...]:
        """The oldest files whose last day is further back than records are kept."""
        oldest_kept = utc_day(now) - self._keep_days
        found = []
        for each, _ in self._place.older:
            if each.day >= oldest_kept:
                break
            found.append(each)
        return tuple(found)

    def _retention(self, expired: Sequence[Segment], now: float) -> Entry:
        """Says in the chain itself where it will begin, so that ``verify`` can tell this from a theft."""
        place = self._place
        kept, prev = [*place.older, (place.segment, place.first_prev)][len(expired)]
        seq = place.seq if kept is None else kept.first_seq - 1
        told = {"seq": seq, "hash": prev, "files": len(expired), "keep_days": self._keep_days}
        return remark(RETENTION, now, expired[-1].path.name, told)
