"""What fly-gha-status pays for its audit log and its statistics: durable appends, verify, start, memory.

``FLY_GHA_BENCH_AUDIT_RECORDS`` sets how many records verify and start work on.
"""

import asyncio
import gc
import multiprocessing
import os
import random
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from mcp_server.audit.log import AuditLog
from mcp_server.audit.reading import files_with_lines
from mcp_server.audit.record import GENESIS, Entry, chained, content
from mcp_server.audit.segments import segment, segments, utc_day
from mcp_server.audit.verify import verify
from mcp_server.stats.hours import Hours
from mcp_server.stats.live import Stats
from mcp_server.stats.rebuilding import settled
from runners.cli.demo.summary import spread
from runners.upstream.clock import SystemClock

SECONDS = 4.0
RECORDS = int(os.environ.get("FLY_GHA_BENCH_AUDIT_RECORDS", "100000"))
FILE_MAX_BYTES = 64 * 1024 * 1024
TOOLS = tuple(f"tool_{number}" for number in range(10))
DAY, HOUR = 86_400.0, 3600.0


class SetClock:
    def __init__(self, now):
        self.time = now

    def now(self):
        return self.time

    async def sleep(self, seconds):
        self.time += max(0.0, seconds)


def a_call(number, at, caller="abcd2345", tool="tool_1", ms=3.25):
    return Entry(
        at=at,
        call_id=f"call-{number}",
        operation="tools/call",
        target=tool,
        arguments={"pool": "gha-medium", "limit": 10},
        caller=caller,
        caller_name="an agent",
        project="default",
        transport="http",
        protocol="2025-11-25",
        allowed=True,
        rule="allowed",
        result="ok",
        stale=False,
        duration_ms=ms,
        bytes=1893,
        tokens=474,
        revision=18_231,
        upstream_ids=("0f8fad5bd9cb469fa165",),
    )


def a_stats(clock):
    return Stats(clock, tools=TOOLS, resources=("fleet://jobs/{id}",))


def say(text):
    print(f"\n{text}", end="")  # noqa: T201 - a benchmark's output is its point


@pytest.mark.parametrize("callers", [1, 30, 300])
async def test_durable_appends(tmp_path, callers):
    clock = SystemClock()
    log = AuditLog(
        tmp_path, keep_days=30, file_max_bytes=FILE_MAX_BYTES, clock=clock, observer=a_stats(clock)
    )
    await log.open()
    waits = []
    began = time.perf_counter()

    async def caller():
        while (start := time.perf_counter()) < began + SECONDS:
            await log.append(a_call(len(waits), clock.now()))
            waits.append(time.perf_counter() - start)

    await asyncio.gather(*(caller() for _ in range(callers)))
    seconds = time.perf_counter() - began
    await log.close()
    figures = spread(waits)
    assert verify(files_with_lines(tmp_path)).records == len(waits) + 1
    say(
        f"audit, {callers} at the same time: {len(waits) / seconds:,.0f} durable appends/s with statistics, "
        f"p50 {figures.p50 * 1000:.2f} ms, p99 {figures.p99 * 1000:.2f} ms"
    )


def a_month(directory: Path, now: float) -> None:
    """RECORDS records of the last 30 days, 20 callers, in files as the log would have them."""
    draw = random.Random(1)
    entries = [
        a_call(0, 0, f"caller{caller}", tool, draw.lognormvariate(1.2, 0.8))
        for caller in range(20)
        for tool in TOOLS
    ]
    prev, file, size, day = GENESIS, None, 0, 0
    for number in range(RECORDS):
        at = now - 30 * DAY + number * 30 * DAY / RECORDS
        like = entries[number % len(entries)]
        entry = a_call(number, at, like.caller, like.target, draw.choice(entries).duration_ms)
        record, line = chained(entry, content(entry), number + 1, prev)
        if file is None or size + len(line) > FILE_MAX_BYTES or utc_day(at) != day:
            if file is not None:
                file.close()
            day, size = utc_day(at), 0
            file = segment(directory, day, record.seq).path.open("wb")
        file.write(line)
        prev, size = record.hash, size + len(line)
    file.close()


@pytest.mark.timeout(900)
async def test_verify_and_start(tmp_path):
    now = 1_800_000_000.0
    a_month(tmp_path, now)
    began = time.perf_counter()
    found = verify(files_with_lines(tmp_path))
    seconds = time.perf_counter() - began
    assert (found.broken, found.records) == (None, RECORDS)
    say(f"audit verify, {RECORDS:,} records: {seconds:.1f} s, {RECORDS / seconds:,.0f} records/s")

    answers = []
    for how in ("from the records alone", "from kept figures"):
        clock = SetClock(now)
        stats = a_stats(clock)
        log = AuditLog(tmp_path, keep_days=40, file_max_bytes=FILE_MAX_BYTES, clock=clock, observer=stats)
        began = time.perf_counter()
        await log.open()
        seconds = time.perf_counter() - began
        answers.append(stats.summary(30 * DAY, project="default", caller=None, tool=None))
        await log.close()
        say(f"start with {RECORDS:,} records in {len(segments(tmp_path))} files, {how}: {seconds:.2f} s")
    assert answers[0] == answers[1]
    assert answers[0].total.calls == RECORDS


def memory(calls_an_hour):
    """MiB of 30 days of 100 callers x 10 tools, and milliseconds of questions, in a process of its own."""
    now, draw = 1_800_000_000.0, random.Random(1)
    clock = SetClock(now)
    stats = a_stats(clock)
    before = resident()
    for day in range(31):
        for hour in range(24):
            at = now - 31 * DAY + day * DAY + hour * HOUR
            for caller in range(100):
                for tool in TOOLS:
                    for number in range(calls_an_hour):
                        ms = draw.lognormvariate(1.2, 0.8)
                        stats._counting.count(a_call(number, at, f"caller{caller}", tool, ms), stats._open)
        a_day_ends(stats, at)
    gc.collect()
    used = resident() - before
    answers = []
    for window in (DAY, 7 * DAY, 30 * DAY):
        began = time.perf_counter()
        stats.summary(window, project="default", caller=None, tool=None)
        answers.append((time.perf_counter() - began) * 1000)
    return used / 2**20, answers


def a_day_ends(stats, at):
    """As when the log closes a file, but for the file."""
    figures = settled(stats._open, stats._counting.names, 0, "")
    stats._history.adopt(figures.days, figures.hours, int(at // HOUR))
    stats._open = Hours()


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(900)
@pytest.mark.parametrize("calls_an_hour", [1, 6])
def test_memory_of_a_month(calls_an_hour):
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        used, answers = pool.submit(memory, calls_an_hour).result()
    say(
        f"statistics, 30 days, 100 callers x 10 tools, {calls_an_hour} calls an hour each: {used:.0f} MiB; "
        f"24 h / 7 d / 30 d told in {' / '.join(f'{ms:.0f}' for ms in answers)} ms"
    )
