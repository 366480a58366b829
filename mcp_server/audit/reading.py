"""Reading: the lines of a log while another process may be writing to it and removing its oldest files.

A reader takes no lock. The last line may still be without its end; a file may be gone between the look at the
directory and the opening of the file, because it was old: the caller looks again.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from mcp_server.audit.segments import Segment, segments


def files_with_lines(directory: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """Name and lines (with their ends) of each file, oldest first.

    Raises:
        FileNotFoundError: a file went away meanwhile; or there is no such directory.
        OSError: something cannot be read.
    """
    for each in segments(directory):
        yield each.path.name, _lines(each.path)


def whole_lines(path: Path, start: int) -> Iterator[bytes]:
    """The lines (with their ends) of a file behind byte ``start``, but for a last one without its end.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if line.endswith(b"\n"):
                yield line


def newest_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file without their ends, the last one first.

    Raises:
        OSError: it cannot be read.
    """
    if path.stat().st_size == 0:
        return
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        end = content.rfind(b"\n")
        while end >= 0:
            start = content.rfind(b"\n", 0, end) + 1
            yield content[start:end]
            end = start - 1


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


class Follower:
    """Gives what was appended since the last look.

    Args:
        directory: of the log.
        after: number of the last record that is known already.
    """

    def __init__(self, directory: Path, after: int) -> None:
        self._directory = directory
        self._after = after
        self._current: Segment | None = None
        self._start = 0

    def more(self) -> list[bytes]:
        """Whole new lines without their ends, oldest first.

        Raises:
            OSError: the log cannot be read.
        """
        found: list[bytes] = []
        for each in self._ahead():
            if each != self._current:
                self._current, self._start = each, 0
            found.extend(self._read_on(each.path))
        return found

    def _ahead(self) -> list[Segment]:
        """The file that was read last, or that holds the last known record, and all later ones."""
        known = self._after + 1 if self._current is None else self._current.first_seq
        present = segments(self._directory)
        begun = max((each.first_seq for each in present if each.first_seq <= known), default=0)
        return [each for each in present if each.first_seq >= begun]

    def _read_on(self, path: Path) -> Iterator[bytes]:
        for line in whole_lines(path, self._start):
            self._start += len(line)
            seq = _seq(line)
            if seq is None or seq > self._after:
                yield line[:-1]


def _seq(line: bytes) -> int | None:
    """A record's number; None for a line that is none."""
    number = line.removeprefix(b'{"seq":').partition(b",")[0]
    return int(number) if number.isdigit() else None
