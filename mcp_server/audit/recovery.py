"""Where a log ends that its last process may have left in the middle of a line.

A process that died, or a machine that lost its power, may leave half a record, or a few blocks of nothing,
after the last record that any answer rests on. That tail is cut off and kept in a file beside; what stands
before the last whole record is never touched, so that ``verify`` finds whatever somebody else did to it.
"""

import mmap
from dataclasses import dataclass
from pathlib import Path

from mcp_server.audit.files import Files
from mcp_server.audit.record import GENESIS, NotARecord, Record, read_record, sealed
from mcp_server.audit.segments import Segment, segments

_TORN = ".torn"


@dataclass(frozen=True, slots=True)
class End:
    """Where the log goes on.

    Attributes:
        segment: the last file with a record in it; None for a new log.
        size: its bytes.
        seq: number of the last record; 0 for a new log.
        hash: its hash.
        cut: bytes that were cut off.
        kept_in: names of the files that hold them.
    """

    segment: Segment | None
    size: int
    seq: int
    hash: str
    cut: int = 0
    kept_in: tuple[str, ...] = ()


def recover(directory: Path, files: Files) -> End:
    """Cut off what is torn at the end of the log in ``directory``, and tell where it ends.

    Raises:
        OSError: something could not be read, kept or cut.
    """
    cut, kept = 0, []
    for each in reversed(segments(directory)):
        size, last = last_record(each.path)
        torn = each.path.stat().st_size - size
        if torn:
            kept.append(_keep(each.path, size, files))
            cut += torn
        if last is not None:
            if torn:
                _cut(each.path, size, files)
            return End(each, size, last.seq, last.hash, cut, tuple(kept))
        files.remove(each.path)
        files.sync_directory(directory)
    return End(None, 0, 0, GENESIS, cut, tuple(kept))


def last_record(path: Path) -> tuple[int, Record | None]:
    """Up to which byte a file holds whole records, and the last of them; 0 and None when there is none.

    Raises:
        OSError: it cannot be read.
    """
    if path.stat().st_size == 0:
        return 0, None
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.rfind(b"\n")
        while end >= 0:
            start = content.rfind(b"\n", 0, end) + 1
            line = content[start:end]
            if sealed(line) is not None:
                try:
                    return end + 1, read_record(line)
                except NotARecord:
                    pass
            end = start - 1
    return 0, None


def _keep(path: Path, start: int, files: Files) -> str:
    """Copy what follows byte ``start`` into a new file beside; its name."""
    with path.open("rb") as file:
        file.seek(start)
        rest = memoryview(file.read())
    number = sum(1 for _ in path.parent.glob(f"{path.name}{_TORN}-*")) + 1
    beside = path.with_name(f"{path.name}{_TORN}-{number}")
    descriptor = files.create(beside)
    try:
        while rest:
            rest = rest[files.write(descriptor, rest) :]
        files.sync(descriptor)
    finally:
        files.close(descriptor)
    files.sync_directory(path.parent)
    return beside.name


def _cut(path: Path, size: int, files: Files) -> None:
    descriptor = files.reopen(path)
    try:
        files.truncate(descriptor, size)
        files.sync(descriptor)
    finally:
        files.close(descriptor)
