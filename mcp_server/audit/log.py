"""AuditLog: one record per call, on the disk before the call's answer leaves.

Whoever appends waits for the sync that covers their record; all who wait at the same time share one (group
commit), so a disk that syncs a few hundred times a second serves thousands of calls. Records are numbered and
chained on the event loop, in the order in which they came; one thread writes. After a failure everybody who
waits is refused, and so is everybody who comes later, until a new file could be opened, written and synced:
a call may then be recorded and yet refused, but never answered and not recorded.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import structlog

from mcp_server.audit.batch import Batch, Chain
from mcp_server.audit.directory import AuditUnusable, DirectoryLock
from mcp_server.audit.files import Files, RealFiles
from mcp_server.audit.observer import Observer
from mcp_server.audit.opening import stand
from mcp_server.audit.record import RECOVERED, Entry, Record, content, remark
from mcp_server.audit.trouble import REOPEN_EVERY_S, Trouble, unavailable
from mcp_server.audit.writer import Writer
from runners.upstream.clock import Clock

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Waiter:
    entry: Entry
    inner: str
    written: asyncio.Future[Record]


class AuditLog:
    """Records entries. Belongs to one event loop.

    Args:
        directory: of the log; made when it is missing.
        keep_days: days that records are kept at least; files older than that are removed whole.
        file_max_bytes: past this a file is not grown.
        clock: decides on which day a record is written.
        files: system calls; those of the operating system unless a test wants to see them.
        observer: learns of every durable record.
    """

    def __init__(
        self,
        directory: Path,
        *,
        keep_days: int,
        file_max_bytes: int,
        clock: Clock,
        files: Files | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._directory = directory
        self._keep_days = keep_days
        self._file_max_bytes = file_max_bytes
        self._clock = clock
        self._files = files or RealFiles()
        self._observer = observer
        self._waiting: list[_Waiter] = []
        self._committing: asyncio.Task[None] | None = None
        self._chores: set[asyncio.Task[None]] = set()
        self._trouble: Trouble | None = None
        self._healing: asyncio.Task[None] | None = None
        self._opened: _Opened | None = None

    @property
    def healthy(self) -> str | None:
        """None when records can be written as far as anybody knows, otherwise why not."""
        if self._opened is None:
            return "the audit log is not open"
        return None if self._trouble is None else self._trouble.why

    async def open(self) -> None:
        """Lock the directory, cut off what a dead process left half written, say so, and be ready.

        Raises:
            AuditInUse: another process writes there.
            AuditUnusable: the directory or its files cannot be read or written.
        """
        lock = DirectoryLock(self._directory)
        thread = ThreadPoolExecutor(1, thread_name_prefix="audit")
        try:
            await self._go_on(lock, thread)
        except BaseException as error:
            self._opened = None
            thread.shutdown()
            lock.release()
            if isinstance(error, OSError):
                raise AuditUnusable(
                    self._directory,
                    f"its files cannot be read or written ({error.strerror})",
                    "free space on that disk, or repair what the message names, and start again",
                ) from error
            raise

    async def append(self, entry: Entry) -> Record:
        """The entry's record, once it is durable.

        Raises:
            Refused: AUDIT_UNAVAILABLE; the entry is not in the log, or nobody may rely on it being there.
        """
        if self._opened is None:
            raise unavailable()
        waiter = _Waiter(entry, content(entry), asyncio.get_running_loop().create_future())
        self._waiting.append(waiter)
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit_waiting(self._opened))
        return await waiter.written

    async def close(self) -> None:
        """Write what waits, finish with the files, and let another process write. Closing twice is fine."""
        if self._healing is not None:
            self._healing.cancel()
        while self._committing is not None:
            await asyncio.wait([self._committing])
        opened, self._opened = self._opened, None
        if opened is None:
            return
        place = opened.chain.place
        if self._observer is not None and place.segment is not None and self._trouble is None:
            self._chore(self._observer.closed(place.segment, place.size, place.hash))
        while self._chores:
            await asyncio.wait(set(self._chores))
        await asyncio.get_running_loop().run_in_executor(opened.thread, opened.writer.close)
        opened.thread.shutdown()
        opened.lock.release()

    async def _go_on(self, lock: DirectoryLock, thread: ThreadPoolExecutor) -> None:
        """Find where the log stands, show the observer all of it, and write that this process is here."""
        loop = asyncio.get_running_loop()
        opening = await loop.run_in_executor(thread, stand, self._directory, self._files)
        place, now = opening.place, self._clock.now()
        if self._observer is not None:
            older = [each for each, _ in place.older]
            present = older if place.segment is None else [*older, place.segment]
            await loop.run_in_executor(thread, self._observer.rebuild, present, now)
        chain = Chain(self._directory, place, keep_days=self._keep_days, file_max_bytes=self._file_max_bytes)
        opened = _Opened(lock, thread, Writer(self._files, place.segment, place.size), chain)
        await self._write(opened, [], opening.remarks(now), afresh=False)
        self._opened, self._trouble = opened, None

    async def _commit_waiting(self, opened: "_Opened") -> None:
        """One sync after the other until nobody waits."""
        try:
            if self._trouble is not None:
                await self._commit_some(opened)
            while self._waiting:
                await self._commit_some(opened)
        finally:
            self._committing = None
            # Only when this task is ended from outside: nobody may wait for ever.
            self._refuse(len(self._waiting))

    async def _commit_some(self, opened: "_Opened") -> None:
        taken = len(self._waiting)
        remarks: list[Entry] = []
        trouble = self._trouble
        try:
            if trouble is not None:
                if not trouble.may_try(self._clock.now()):
                    self._refuse(taken)
                    return
                remarks = [await self._mended(opened, trouble)]
                taken = len(self._waiting)
            written = await self._write(opened, self._waiting[:taken], remarks, afresh=trouble is not None)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing may be answered without a record
            self._fail(opened, error)
            self._refuse(taken)
            return
        if trouble is not None:
            self._trouble = None
            log.warning("audit log writes again", refused=trouble.refused)
        done, self._waiting = self._waiting[: len(written)], self._waiting[len(written) :]
        for waiter, record in zip(done, written, strict=True):
            if not waiter.written.done():
                waiter.written.set_result(record)

    async def _write(
        self, opened: "_Opened", waiters: Sequence[_Waiter], remarks: Sequence[Entry], *, afresh: bool
    ) -> Sequence[Record]:
        """The records of the first of those waiting, durable."""
        pairs = [(each.entry, each.inner) for each in waiters]
        batch = opened.chain.batch(pairs, remarks, self._clock.now(), afresh=afresh)
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(opened.thread, opened.writer.commit, batch.data, batch.begin)
        closed = opened.chain.durable(batch)
        if self._observer is not None:
            if closed is not None:
                self._chore(self._observer.closed(*closed))
            for record in batch.records:
                self._observer.observe(record)
        if batch.expired:
            self._chore(self._remove(opened, batch))
        return batch.records[batch.own :]

    async def _remove(self, opened: "_Opened", batch: Batch) -> None:
        """Remove files that the chain already says are gone; what cannot be removed is tried another day."""
        gone = []
        for each in batch.expired:
            try:
                await asyncio.to_thread(self._files.remove, each.path)
                if self._observer is not None:
                    await asyncio.to_thread(self._observer.removed, each)
            except OSError as error:
                log.warning("audit file not removed", file=each.path.name, why=error.strerror)
                break
            gone.append(each)
        opened.chain.removed(gone)

    async def _mended(self, opened: "_Opened", trouble: Trouble) -> Entry:
        trouble.tried_at = self._clock.now()
        cut = await asyncio.get_running_loop().run_in_executor(opened.thread, opened.writer.mend)
        segment = opened.chain.place.segment
        told = {"why": trouble.why, "cut_bytes": cut, "refused": trouble.refused}
        return remark(RECOVERED, self._clock.now(), "" if segment is None else segment.path.name, told)

    async def _heal(self, opened: "_Opened") -> None:
        """Try again although nobody asks: who is told that this server is down does not ask."""
        try:
            while self._trouble is not None:
                await self._clock.sleep(REOPEN_EVERY_S)
                if self._committing is None and self._trouble is not None:
                    self._committing = asyncio.create_task(self._commit_waiting(opened))
                    await asyncio.wait([self._committing])
        finally:
            self._healing = None

    def _fail(self, opened: "_Opened", error: Exception) -> None:
        why = error.strerror or "" if isinstance(error, OSError) else type(error).__name__
        refused = 0 if self._trouble is None else self._trouble.refused
        if self._trouble is None:
            log.error("audit log cannot be written", why=why, directory=str(self._directory))
        self._trouble = Trouble(f"the audit log cannot be written: {why}", self._clock.now(), refused)
        if self._healing is None:
            self._healing = asyncio.create_task(self._heal(opened))

    def _refuse(self, count: int) -> None:
        refused, self._waiting = self._waiting[:count], self._waiting[count:]
        if self._trouble is not None:
            self._trouble.refused += len(refused)
        for waiter in refused:
            if not waiter.written.done():
                waiter.written.set_exception(unavailable())

    def _chore(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(_quietly(work))
        self._chores.add(task)
        task.add_done_callback(self._chores.discard)


@dataclass(frozen=True, slots=True)
class _Opened:
    lock: DirectoryLock
    thread: ThreadPoolExecutor
    writer: Writer
    chain: Chain


async def _quietly(work: Awaitable[None]) -> None:
    """A chore that fails costs time at the next start, never a record."""
    try:
        await work
    except OSError as error:
        log.warning("audit chore failed", why=error.strerror)
