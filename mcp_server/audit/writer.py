"""Writer: puts lines on the disk, in the one thread that may wait for it.

It believes a descriptor only as long as every write and sync on it succeeded. After a failed sync the system
may have dropped what it could not write and call the next sync a success, so that descriptor is closed for
good; the file is cut back, through a new one, to what an earlier sync covered, and writing goes on in a new
file. A file that somebody else removed or changed meanwhile is left to ``verify`` as it is.
"""

import contextlib
import errno

from mcp_server.audit.files import Files
from mcp_server.audit.segments import Segment


class Writer:
    """Not for several threads at once.

    Args:
        files: the system calls.
        current: the file to go on with; None for a new log.
        size: its bytes, all of them durable.
    """

    def __init__(self, files: Files, current: Segment | None, size: int) -> None:
        self._files = files
        self._current = current
        self._size = size
        self._descriptor: int | None = None

    def commit(self, data: bytes, begin: Segment | None) -> None:
        """Return when ``data`` is durable; it is wholly so or, after an error, to be taken as not written.

        Args:
            data: whole lines.
            begin: the new file to put them into; None goes on in the current one.

        Raises:
            OSError: then ``mend`` must succeed, and a new file begin, before the next commit.
        """
        try:
            if begin is not None:
                self._begin(begin)
            elif self._descriptor is None:
                self._descriptor = self._files.reopen(self._path().path)
            self._write(data)
        except OSError:
            self.close()
            raise
        self._size += len(data)

    def mend(self) -> int:
        """After a failure: cut the current file back to what is durable.

        Returns:
            The bytes cut off.

        Raises:
            OSError: not even that is possible yet.
        """
        self.close()
        if self._current is None or not self._current.path.exists():
            return 0
        path = self._current.path
        over = path.stat().st_size - self._size
        if self._size == 0:
            self._files.remove(path)
            self._files.sync_directory(path.parent)
        elif over:
            descriptor = self._files.reopen(path)
            try:
                self._files.truncate(descriptor, self._size)
                self._files.sync(descriptor)
            finally:
                self._files.close(descriptor)
        return over

    def close(self) -> None:
        """Give the descriptor back; whatever was committed is durable already."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                self._files.close(descriptor)

    def _begin(self, new: Segment) -> None:
        descriptor = self._files.create(new.path)
        self.close()
        self._descriptor, self._current, self._size = descriptor, new, 0
        self._files.sync_directory(new.path.parent)

    def _write(self, data: bytes) -> None:
        if self._descriptor is None:
            raise AssertionError("a commit has a file")
        if self._files.size(self._descriptor) != self._size:
            self._current = None
            raise OSError(errno.ESTALE, "somebody else removed or changed the file")
        rest = memoryview(data)
        while rest:
            rest = rest[self._files.write(self._descriptor, rest) :]
        self._files.sync(self._descriptor)

    def _path(self) -> Segment:
        if self._current is None:
            raise AssertionError("the first commit of a log begins a file")
        return self._current
