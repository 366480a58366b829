"""AuditLog: nothing is answered before its record is on the disk, and a broken disk answers nobody."""

import asyncio
import errno
import random

import pytest
from audit_world import (
    NOON,
    SetClock,
    WatchedFiles,
    a_log,
    an_entry,
    audit_files,
    calls,
    opened,
    records,
    remarks,
    verdict,
)

from mcp_server.audit.directory import AuditInUse, AuditUnusable
from mcp_server.audit.record import GENESIS, OPENED, RECOVERED
from mcp_server.refused import Refused
from mcp_server.rule import Rule


async def in_a_thread(event):
    assert await asyncio.to_thread(event.wait, 30)


async def test_no_append_returns_before_a_sync_covers_its_record(tmp_path):
    files = WatchedFiles()
    async with opened(tmp_path, files=files) as log:
        files.held.clear()
        files.waits.clear()
        append = asyncio.create_task(log.append(an_entry(1)))
        await in_a_thread(files.waits)
        assert b"call-1" in audit_files(tmp_path)[0].read_bytes()
        assert not append.done()
        files.held.set()
        record = await append
        assert record.hash.encode() in next(iter(files.left().values()))


async def test_whatever_was_answered_is_left_when_the_power_goes_at_any_moment(tmp_path):
    files = WatchedFiles()
    async with opened(tmp_path, files=files, file_max_bytes=6000) as log:
        random_ = random.Random(7)

        async def caller(who):
            for number in range(30):
                record = await log.append(an_entry(f"{who}-{number}"))
                left = b"".join(files.left().values())
                assert record.hash.encode() in left
                if random_.random() < 0.3:
                    await asyncio.sleep(0)

        await asyncio.gather(*(caller(who) for who in range(20)))
    assert len(set(calls(tmp_path))) == 600
    assert verdict(tmp_path).broken is None


async def test_those_who_wait_at_the_same_time_share_one_sync(tmp_path):
    files = WatchedFiles()
    async with opened(tmp_path, files=files) as log:
        files.operations.clear()
        await asyncio.gather(*(log.append(an_entry(number)) for number in range(200)))
        assert files.operations.count("sync") <= 2
    assert calls(tmp_path) == [f"call-{number}" for number in range(200)]


async def test_the_first_record_of_a_new_log_says_that_it_was_opened(tmp_path):
    async with opened(tmp_path / "new" / "log") as log:
        assert log.healthy is None
        record = await log.append(an_entry(1))
    first = records(tmp_path / "new" / "log")[0]
    assert (first.seq, first.prev, first.entry.operation) == (1, GENESIS, OPENED)
    assert (record.seq, record.prev) == (2, first.hash)


async def test_a_log_goes_on_where_the_last_process_ended(tmp_path):
    for number in range(3):
        async with opened(tmp_path) as log:
            await log.append(an_entry(number))
    assert calls(tmp_path) == ["call-0", "call-1", "call-2"]
    assert len(audit_files(tmp_path)) == 1
    assert verdict(tmp_path).records == 6


async def test_a_second_process_is_refused_until_the_first_has_closed(tmp_path):
    async with opened(tmp_path):
        with pytest.raises(AuditInUse, match="another process writes there; next: stop that process"):
            await a_log(tmp_path).open()
    async with opened(tmp_path) as second:
        await second.append(an_entry(1))


async def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditUnusable, match="it cannot be written to"):
        await a_log(tmp_path / "file" / "log").open()


async def test_a_log_that_cannot_write_its_first_record_does_not_open(tmp_path):
    files = WatchedFiles()
    files.refuse("write", errno.ENOSPC)
    with pytest.raises(AuditUnusable, match="No space left on device"):
        await a_log(tmp_path, files=files).open()
    # The lock went with it.
    files.refusing.clear()
    async with opened(tmp_path, files=files) as log:
        await log.append(an_entry(1))
    assert verdict(tmp_path).broken is None


async def test_nothing_is_appended_before_the_log_is_open_or_after_it_is_closed(tmp_path):
    log = a_log(tmp_path)
    assert log.healthy == "the audit log is not open"
    with pytest.raises(Refused):
        await log.append(an_entry(1))
    await log.open()
    await log.close()
    await log.close()
    with pytest.raises(Refused):
        await log.append(an_entry(2))


async def test_closing_writes_what_still_waits(tmp_path):
    log = a_log(tmp_path)
    await log.open()
    appends = [asyncio.create_task(log.append(an_entry(number))) for number in range(50)]
    await asyncio.sleep(0)
    await log.close()
    assert len(await asyncio.gather(*appends)) == 50
    assert len(calls(tmp_path)) == 50


async def test_a_caller_who_gives_up_takes_no_record_away_and_harms_nobody(tmp_path):
    files = WatchedFiles()
    async with opened(tmp_path, files=files) as log:
        files.held.clear()
        appends = [asyncio.create_task(log.append(an_entry(number))) for number in range(3)]
        await asyncio.sleep(0)
        appends[1].cancel()
        files.held.set()
        done = await asyncio.gather(*appends, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
    assert calls(tmp_path) == ["call-0", "call-1", "call-2"]


async def test_arguments_that_are_no_json_are_refused_before_they_can_break_anything(tmp_path):
    async with opened(tmp_path) as log:
        with pytest.raises(TypeError):
            await log.append(an_entry(1, arguments={"what": object()}))
        with pytest.raises(ValueError, match="Out of range"):
            await log.append(an_entry(1, duration_ms=float("nan")))
        await log.append(an_entry(2))
    assert calls(tmp_path) == ["call-2"]


@pytest.mark.parametrize(
    ("operation", "error"),
    [("write", errno.ENOSPC), ("sync", errno.EIO), ("write", errno.EROFS)],
)
async def test_a_failed_disk_refuses_everybody_and_a_mended_one_serves_in_a_new_file(
    tmp_path, operation, error
):
    files, clock = WatchedFiles(), SetClock()
    async with opened(tmp_path, files=files, clock=clock) as log:
        await log.append(an_entry("before"))
        files.refuse(operation, error)
        refused = await asyncio.gather(
            *(log.append(an_entry(f"lost-{number}")) for number in range(5)), return_exceptions=True
        )
        assert [each.rule for each in refused] == [Rule.AUDIT_UNAVAILABLE] * 5
        assert "cannot be written" in log.healthy

        # Within the second nobody even tries; later they do, and it still fails.
        files.operations.clear()
        with pytest.raises(Refused):
            await log.append(an_entry("lost-5"))
        assert files.operations == []
        clock.time += 1
        with pytest.raises(Refused):
            await log.append(an_entry("lost-6"))
        assert operation in files.operations

        files.refusing.clear()
        clock.time += 1
        await log.append(an_entry("after"))
        assert log.healthy is None
    assert calls(tmp_path) == ["call-before", "call-after"]
    assert verdict(tmp_path).broken is None
    assert len(audit_files(tmp_path)) == 2
    told = remarks(tmp_path, RECOVERED)[0].arguments
    assert told["refused"] == 7
    assert told["cut_bytes"] >= 0


async def test_a_mended_disk_is_found_although_nobody_asks(tmp_path):
    files, clock = WatchedFiles(), SetClock()
    async with opened(tmp_path, files=files, clock=clock) as log:
        files.refuse("write", errno.ENOSPC)
        with pytest.raises(Refused):
            await log.append(an_entry(1))
        tried = files.operations.count("write")
        async with asyncio.timeout(30):
            while files.operations.count("write") < tried + 3:
                clock.time += 1
                await asyncio.sleep(0.01)
            assert log.healthy is not None
            files.refusing.clear()
            while log.healthy is not None:
                clock.time += 1
                await asyncio.sleep(0.01)
        await log.append(an_entry(2))
    assert calls(tmp_path) == ["call-2"]
    assert verdict(tmp_path).broken is None
    assert len(remarks(tmp_path, RECOVERED)) == 1


async def test_a_log_in_trouble_can_be_closed(tmp_path):
    files = WatchedFiles()
    async with opened(tmp_path, files=files) as log:
        files.refuse("sync")
        with pytest.raises(Refused):
            await log.append(an_entry(1))
    async with opened(tmp_path) as log:
        await log.append(an_entry(2))
    assert "call-2" in calls(tmp_path)
    assert verdict(tmp_path).broken is None


async def test_a_descriptor_whose_sync_failed_is_never_written_to_again(tmp_path):
    files, clock = WatchedFiles(), SetClock()
    async with opened(tmp_path, files=files, clock=clock) as log:
        old = set(files._paths)
        files.refuse("sync")
        with pytest.raises(Refused):
            await log.append(an_entry(1))
        files.refusing.clear()
        assert not old & set(files._paths)
        # The system would now say that the next sync on it succeeded; what is in doubt is cut off instead.
        clock.time += 1
        files.operations.clear()
        await log.append(an_entry(2))
        assert files.operations == ["reopen", "truncate", "sync", "create", "sync_directory", "write", "sync"]
    assert calls(tmp_path) == ["call-2"]


async def test_a_file_that_could_not_get_its_first_record_is_taken_away_again(tmp_path):
    files, clock = WatchedFiles(), SetClock()
    async with opened(tmp_path, files=files, clock=clock, file_max_bytes=4096) as log:
        for number in range(20):
            try:
                await log.append(an_entry(number))
            except Refused:
                clock.time += 1
                files.refusing.clear()
            if number % 5 == 0:
                files.refuse("sync")
    assert verdict(tmp_path).broken is None
    assert all(path.stat().st_size for path in audit_files(tmp_path))


async def test_a_file_that_somebody_removes_under_the_server_does_not_swallow_records(tmp_path):
    clock = SetClock()
    async with opened(tmp_path, clock=clock) as log:
        await log.append(an_entry(1))
        audit_files(tmp_path)[0].unlink()
        with pytest.raises(Refused):
            await log.append(an_entry(2))
        clock.time += 1
        await log.append(an_entry(3))
    assert calls(tmp_path) == ["call-3"]
    assert verdict(tmp_path).broken.what.startswith("the beginning is missing")


async def test_a_file_that_somebody_else_writes_to_is_left_as_it_is(tmp_path):
    clock = SetClock()
    async with opened(tmp_path, clock=clock) as log:
        await log.append(an_entry(1))
        with audit_files(tmp_path)[0].open("ab") as file:
            file.write(b"not ours\n")
        with pytest.raises(Refused):
            await log.append(an_entry(2))
        clock.time += 1
        await log.append(an_entry(3))
    broken = verdict(tmp_path).broken
    assert (broken.file, broken.line) == (audit_files(tmp_path)[0].name, 3)


@pytest.mark.parametrize(
    "tail", [b'{"seq":3,"prev":"', b"\0" * 5000, b"{}\nnonsense\n\n", b"\xff\xfe\n" * 10]
)
async def test_a_torn_end_is_cut_off_kept_beside_and_told(tmp_path, tail):
    async with opened(tmp_path) as log:
        await log.append(an_entry(1))
    file = audit_files(tmp_path)[0]
    with file.open("ab") as handle:
        handle.write(tail)
    async with opened(tmp_path) as log:
        await log.append(an_entry(2))
    assert verdict(tmp_path).broken is None
    assert calls(tmp_path) == ["call-1", "call-2"]
    told = remarks(tmp_path, RECOVERED)[0]
    assert told.target == file.name
    assert told.arguments["cut_bytes"] == len(tail)
    assert (tmp_path / told.arguments["kept_in"][0]).read_bytes() == tail


async def test_a_new_file_without_a_whole_record_is_taken_away_and_the_one_before_goes_on(tmp_path):
    async with opened(tmp_path, file_max_bytes=4096) as log:
        for number in range(12):
            await log.append(an_entry(number))
    last = audit_files(tmp_path)[-1]
    last.write_bytes(last.read_bytes()[:40])
    before = verdict(tmp_path)
    async with opened(tmp_path, file_max_bytes=4096) as log:
        await log.append(an_entry("later"))
    after = verdict(tmp_path)
    assert after.broken is None
    assert after.records == before.records + 3
    assert remarks(tmp_path, RECOVERED)[0].arguments["cut_bytes"] == 40


async def test_a_changed_record_in_the_middle_is_no_torn_end_and_stays_for_verify(tmp_path):
    async with opened(tmp_path) as log:
        for number in range(5):
            await log.append(an_entry(number))
    file = audit_files(tmp_path)[0]
    file.write_bytes(file.read_bytes().replace(b"call-2", b"call-9"))
    async with opened(tmp_path) as log:
        await log.append(an_entry("later"))
    assert remarks(tmp_path, RECOVERED) == []
    assert (verdict(tmp_path).broken.line, verdict(tmp_path).broken.seq) == (4, 4)


async def test_only_this_user_may_read_the_records(tmp_path):
    async with opened(tmp_path / "log"):
        assert (tmp_path / "log").stat().st_mode & 0o777 == 0o700
        assert audit_files(tmp_path / "log")[0].stat().st_mode & 0o777 == 0o600
        assert audit_files(tmp_path / "log")[0].name == "audit-2027-01-15-000000000001.jsonl"
    assert SetClock().now() == NOON
