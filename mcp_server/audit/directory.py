"""The log's directory: made, and locked so that exactly one process writes there.

Two writers would each continue the chain from the same record, and one of the two continuations would look
like a forgery. Readers (``tail``, ``query``, ``verify``) need no lock.
"""

import fcntl
import os
from pathlib import Path

LOCK = "writer.lock"
_MODE = 0o700


class AuditUnusable(Exception):
    """The audit log cannot be opened, so nothing may be answered.

    Attributes:
        directory: where it should be.
    """

    def __init__(self, directory: Path, why: str, next_step: str) -> None:
        super().__init__(f"open the audit log in {directory}: {why}; next: {next_step}")
        self.directory = directory


class AuditInUse(AuditUnusable):
    """Another process writes there."""


class DirectoryLock:
    """Held by the one process that writes; the system releases it when that process dies, however it dies.

    Args:
        directory: of the log; made when it is missing, with everything above it.

    Raises:
        AuditInUse: another process holds it.
        AuditUnusable: the directory cannot be made or written to.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(mode=_MODE, parents=True, exist_ok=True)
            self._descriptor = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise AuditUnusable(
                directory,
                f"it cannot be written to ({error.strerror})",
                "make it a directory that this user may write to, or name another one",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._descriptor)
            raise AuditInUse(
                directory,
                "another process writes there",
                "stop that process, or give this one a directory of its own",
            ) from error

    def release(self) -> None:
        """Let others write there."""
        os.close(self._descriptor)
