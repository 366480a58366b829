"""Files: the few system calls the audit log writes with, behind a seam.

A test must see in which order bytes are written and synced, and must be able to fill the disk or break a
sync; the page cache hides both from anything that only kills processes.
"""

import os
from pathlib import Path
from typing import Protocol

MODE = 0o600
"""Records say who asked what: nobody else on the machine needs to read them."""


class Files(Protocol):
    """Writing, as the audit log needs it. Every method raises OSError."""

    def create(self, path: Path) -> int:
        """Open a file that must not exist yet, for appending; a descriptor."""
        ...

    def reopen(self, path: Path) -> int:
        """Open a file that exists, for appending; a descriptor."""
        ...

    def size(self, descriptor: int) -> int | None:
        """How many bytes the file has; None when it has no name any more: somebody removed it."""
        ...

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Append what the system takes of ``data``; how many bytes that was."""
        ...

    def sync(self, descriptor: int) -> None:
        """Return when everything written to the descriptor is on the disk."""
        ...

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut the file to ``size`` bytes."""
        ...

    def close(self, descriptor: int) -> None:
        """Give the descriptor back."""
        ...

    def remove(self, path: Path) -> None:
        """Remove a file; one that is gone already is fine."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """Return when the names in the directory are on the disk."""
        ...


class RealFiles:
    """The operating system's own."""

    def create(self, path: Path) -> int:
        """Open a new file for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE)

    def reopen(self, path: Path) -> int:
        """Open an existing file for appending."""
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def size(self, descriptor: int) -> int | None:
        """Ask the system."""
        status = os.fstat(descriptor)
        return status.st_size if status.st_nlink else None

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Append."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Data and the file's size, not its times: that is what reading back needs, and it is cheaper."""
        os.fdatasync(descriptor) if hasattr(os, "fdatasync") else os.fsync(descriptor)

    def truncate(self, descriptor: int, size: int) -> None:
        """Cut."""
        os.ftruncate(descriptor, size)

    def close(self, descriptor: int) -> None:
        """Close."""
        os.close(descriptor)

    def remove(self, path: Path) -> None:
        """Remove."""
        path.unlink(missing_ok=True)

    def sync_directory(self, directory: Path) -> None:
        """Sync the directory itself."""
        descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
