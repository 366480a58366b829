"""Reading: the lines of a log while another process may be writing to it and removing its oldest files.

A reader takes no lock. The last line may still be without its end; a file may be gone between the look at the
directory and the opening of the file, because it was old: the caller looks again.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from mcp_server.audit.segments import segments


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
