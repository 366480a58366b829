"""A clock that is set, a disk that is watched, and entries to append."""

import asyncio
import errno
import os
import threading
from contextlib import asynccontextmanager
from pathlib import Path

from mcp_server.audit.files import RealFiles
from mcp_server.audit.log import AuditLog
from mcp_server.audit.reading import files_with_lines
from mcp_server.audit.record import OWN, Entry, read_record
from mcp_server.audit.verify import verify

NOON = 1_800_014_400.0  # 2027-01-15T12:00:00Z
DAY = 86_400.0


class SetClock:
    def __init__(self, now=NOON):
        self.time = now

    def now(self):
        return self.time

    async def sleep(self, seconds):
        until = self.time + seconds
        while self.time < until:  # noqa: ASYNC110 - a test sets the time by hand
            await asyncio.sleep(0.001)


class WatchedFiles(RealFiles):
    """Real files, and beside them what would be left of each if the power went now.

    Bytes count as left when a sync on a descriptor that never failed covered them, and when the directory was
    synced after the file's name came into it.
    """

    def __init__(self):
        self.operations = []
        self.held = threading.Event()
        self.held.set()
        self.waits = threading.Event()
        self.refusing = {}
        self._paths = {}
        self._synced = {}
        self._named = set()
        self._unnamed = set()

    def refuse(self, operation, error=errno.EIO):
        self.refusing[operation] = error

    def left(self):
        """Name and bytes of each file after a power cut."""
        return {
            path.name: path.read_bytes()[: self._synced.get(path, 0)]
            for path in tuple(self._named)
            if path.exists()
        }

    def _do(self, operation):
        self.operations.append(operation)
        if operation in self.refusing:
            error = self.refusing[operation]
            raise OSError(error, os.strerror(error))

    def create(self, path):
        self._do("create")
        descriptor = super().create(path)
        self._paths[descriptor] = path
        self._unnamed.add(path)
        return descriptor

    def reopen(self, path):
        self._do("reopen")
        descriptor = super().reopen(path)
        self._paths[descriptor] = path
        return descriptor

    def write(self, descriptor, data):
        if "write" in self.refusing:
            # A full disk takes a part and then nothing.
            super().write(descriptor, bytes(data)[: len(data) // 2])
        self._do("write")
        return super().write(descriptor, data)

    def sync(self, descriptor):
        size = os.fstat(descriptor).st_size
        self.waits.set()
        assert self.held.wait(30)
        self._do("sync")
        super().sync(descriptor)
        self._synced[self._paths[descriptor]] = size

    def truncate(self, descriptor, size):
        self._do("truncate")
        super().truncate(descriptor, size)

    def close(self, descriptor):
        self._paths.pop(descriptor, None)
        super().close(descriptor)

    def remove(self, path):
        self._do("remove")
        super().remove(path)
        self._named.discard(path)
        self._synced.pop(path, None)

    def sync_directory(self, directory):
        self._do("sync_directory")
        super().sync_directory(directory)
        self._named |= self._unnamed
        self._unnamed.clear()


def an_entry(number=0, **other):
    members = {
        "at": NOON,
        "call_id": f"call-{number}",
        "operation": "tools/call",
        "target": "queue_list",
        "arguments": {"pool": "gha-medium", "limit": 10},
        "caller": "abcd2345",
        "caller_name": "agent",
        "project": "default",
        "transport": "http",
        "protocol": "2025-11-25",
        "allowed": True,
        "rule": "allowed",
        "result": "ok",
        "stale": False,
        "duration_ms": 3.25,
        "bytes": 1893,
        "tokens": 474,
        "revision": 18231,
        "upstream_ids": ("req-1",),
    }
    return Entry(**{**members, **other})


def a_log(directory, *, clock=None, files=None, keep_days=30, file_max_bytes=1 << 20, observer=None):
    return AuditLog(
        directory,
        keep_days=keep_days,
        file_max_bytes=file_max_bytes,
        clock=clock or SetClock(),
        files=files,
        observer=observer,
    )


@asynccontextmanager
async def opened(directory, **how):
    log = a_log(directory, **how)
    await log.open()
    try:
        yield log
    finally:
        await log.close()


def verdict(directory: Path, expect=()):
    return verify(files_with_lines(directory), expect)


def records(directory: Path):
    return [read_record(line) for _, lines in files_with_lines(directory) for line in lines]


def calls(directory: Path):
    return [
        record.entry.call_id for record in records(directory) if not record.entry.operation.startswith(OWN)
    ]


def remarks(directory: Path, operation):
    return [record.entry for record in records(directory) if record.entry.operation == operation]


def audit_files(directory: Path):
    return sorted((path for path in directory.glob("audit-*.jsonl")), key=lambda path: path.name[-18:])
