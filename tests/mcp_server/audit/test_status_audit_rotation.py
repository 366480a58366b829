"""Files end by size and by day, old ones are removed whole, and the chain says so."""

import asyncio

import pytest
from audit_world import (
    DAY,
    NOON,
    SetClock,
    WatchedFiles,
    an_entry,
    audit_files,
    calls,
    opened,
    records,
    remarks,
    verdict,
)

from mcp_server.audit.record import RETENTION
from mcp_server.audit.segments import first_prev, segments


def sizes(directory):
    return [path.stat().st_size for path in audit_files(directory)]


async def append_daily(directory, days, keep_days, clock, **how):
    async with opened(directory, clock=clock, keep_days=keep_days, **how) as log:
        for day in range(days):
            await log.append(an_entry(day, at=clock.time))
            clock.time += DAY


async def test_a_record_that_just_fits_stays_in_the_file_and_one_byte_more_begins_the_next(tmp_path):
    async with opened(tmp_path / "probe") as log:
        await log.append(an_entry(1))
        await log.append(an_entry(2))
    exact = sizes(tmp_path / "probe")[0]
    for limit, files in ((exact, 1), (exact - 1, 2)):
        directory = tmp_path / str(limit)
        async with opened(directory, file_max_bytes=limit) as log:
            await log.append(an_entry(1))
            await log.append(an_entry(2))
        assert len(audit_files(directory)) == files
        assert verdict(directory).broken is None


async def test_no_file_is_longer_than_it_may_be_but_for_one_record_alone(tmp_path):
    async with opened(tmp_path, file_max_bytes=4096) as log:
        for number in range(30):
            await log.append(an_entry(number))
        await log.append(an_entry("long", arguments={"text": "x" * 6000}))
        await log.append(an_entry("short"))
    long = [path for path in audit_files(tmp_path) if path.stat().st_size > 4096]
    assert len(long) == 1
    assert long[0].read_bytes().count(b"\n") == 1
    assert verdict(tmp_path).broken is None


async def test_a_batch_larger_than_a_file_is_spread_over_files_in_order(tmp_path):
    async with opened(tmp_path, file_max_bytes=4096) as log:
        await asyncio.gather(*(log.append(an_entry(number)) for number in range(100)))
    assert calls(tmp_path) == [f"call-{number}" for number in range(100)]
    assert max(sizes(tmp_path)) <= 4096
    assert len(sizes(tmp_path)) > 10


@pytest.mark.parametrize(("second", "files"), [(DAY / 2 - 0.001, 1), (DAY / 2, 2)])
async def test_a_new_file_begins_with_the_utc_day(tmp_path, second, files):
    clock = SetClock(NOON)
    async with opened(tmp_path, clock=clock) as log:
        await log.append(an_entry(1))
        clock.time = NOON + second
        await log.append(an_entry(2))
    assert len(audit_files(tmp_path)) == files


async def test_a_clock_that_is_set_back_begins_no_file_and_breaks_nothing(tmp_path):
    clock = SetClock(NOON)
    async with opened(tmp_path, clock=clock) as log:
        await log.append(an_entry(1))
        clock.time = NOON - 3 * DAY
        await log.append(an_entry(2))
    assert len(audit_files(tmp_path)) == 1
    assert verdict(tmp_path).broken is None


async def test_files_are_chained_and_named_by_their_first_record(tmp_path):
    async with opened(tmp_path, file_max_bytes=4096) as log:
        for number in range(30):
            await log.append(an_entry(number))
    every = {record.seq: record for record in records(tmp_path)}
    found = segments(tmp_path)
    assert len(found) > 2
    for each in found[1:]:
        assert first_prev(each.path) == every[each.first_seq - 1].hash


async def test_a_record_is_kept_as_long_as_it_must_be_and_its_file_goes_the_day_after(tmp_path):
    clock = SetClock(NOON)
    await append_daily(tmp_path, 1, 30, clock)
    for day, kept in ((30, True), (31, False)):
        clock.time = NOON + day * DAY
        async with opened(tmp_path, clock=clock, keep_days=30) as log:
            await log.append(an_entry(f"day {day}"))
        assert ("call-0" in calls(tmp_path)) is (kept or False)
    assert verdict(tmp_path).broken is None


async def test_verify_knows_a_beginning_that_retention_removed(tmp_path):
    clock = SetClock(NOON)
    await append_daily(tmp_path, 10, 3, clock)
    found = verdict(tmp_path)
    assert found.broken is None
    assert found.first.seq > 1
    assert 4 <= len(audit_files(tmp_path)) <= 5
    last = remarks(tmp_path, RETENTION)[-1].arguments
    assert last["seq"] == found.first.seq - 1
    assert last["hash"] == records(tmp_path)[0].prev
    assert last["keep_days"] == 3


async def test_the_open_file_is_never_removed_however_old_it_is(tmp_path):
    clock = SetClock(NOON)
    async with opened(tmp_path, clock=clock, keep_days=1):
        clock.time = NOON + 100 * DAY
    async with opened(tmp_path, clock=clock, keep_days=1) as log:
        assert len(audit_files(tmp_path)) == 2
        await log.append(an_entry(1))
    assert verdict(tmp_path).first.seq == 1
    assert verdict(tmp_path).broken is None


async def test_a_removal_that_was_interrupted_is_finished_later_and_no_break(tmp_path):
    clock, files = SetClock(NOON), WatchedFiles()
    await append_daily(tmp_path, 6, 30, clock)
    files.refuse("remove")
    async with opened(tmp_path, clock=clock, keep_days=2, files=files) as log:
        await log.append(an_entry("a"))
    assert len(remarks(tmp_path, RETENTION)) == 1
    # The chain has announced it, every file is still here; then some of them go, and then all.
    assert verdict(tmp_path).broken is None
    audit_files(tmp_path)[0].unlink()
    assert verdict(tmp_path).broken is None
    files.refusing.clear()
    async with opened(tmp_path, clock=clock, keep_days=2, files=files) as log:
        await log.append(an_entry("b"))
    assert len(audit_files(tmp_path)) < 5
    assert verdict(tmp_path).broken is None


async def test_more_of_the_beginning_than_retention_announced_is_missed(tmp_path):
    clock = SetClock(NOON)
    await append_daily(tmp_path, 10, 3, clock)
    audit_files(tmp_path)[0].unlink()
    broken = verdict(tmp_path).broken
    assert broken.what.endswith("are gone, by no retention")


async def test_a_beginning_that_was_exchanged_is_no_retention(tmp_path):
    clock = SetClock(NOON)
    await append_daily(tmp_path / "a", 10, 3, clock)
    clock.time = NOON + 1
    await append_daily(tmp_path / "b", 10, 3, clock)
    first_a, first_b = audit_files(tmp_path / "a")[0], audit_files(tmp_path / "b")[0]
    assert first_a.name == first_b.name
    first_a.write_bytes(first_b.read_bytes())
    assert verdict(tmp_path / "a").broken is not None
