"""Windows begin where they say, and a restart, with or without kept figures, changes no figure."""

import asyncio
import random

import pytest
from stats_world import DAY, HOUR, NOON, SetClock, a_call, a_stats, asked, refused, seen

from mcp_server.audit.log import AuditLog
from mcp_server.stats.kept import beside
from mcp_server.stats.summary import WINDOWS

TOOLS = ("queue_list", "job_explain")


def test_a_day_is_counted_by_the_hour_and_longer_windows_by_the_utc_day():
    stats = a_stats(SetClock(NOON + 1800))
    assert asked(stats, DAY).since == NOON - DAY
    assert asked(stats, 7 * DAY).since == NOON - DAY / 2 - 7 * DAY
    assert asked(stats, 30 * DAY).since == NOON - DAY / 2 - 30 * DAY
    assert asked(stats, 300 * DAY).since == NOON - DAY / 2 - 30 * DAY
    assert asked(stats, HOUR).since == NOON - HOUR
    assert asked(stats, DAY).until == NOON + 1800


async def live(directory, clock, **how):
    stats = a_stats(clock)
    log = AuditLog(
        directory, clock=clock, observer=stats, **{"keep_days": 40, "file_max_bytes": 40_000, **how}
    )
    await log.open()
    return log, stats


def figures(stats):
    return [
        asked(stats, window, caller=caller, tool=tool)
        for window in (HOUR, *WINDOWS.values())
        for caller in (None, "c3")
        for tool in (None, "queue_list")
    ]


async def a_month(log, clock, days, draw, per_day=12):
    """Calls over days, as entries, in the order in which they were appended."""
    made = []
    for _ in range(days):
        for _ in range(per_day):
            clock.time += DAY / per_day * draw.uniform(0.2, 1)
            entry = a_call(
                at=clock.time - draw.uniform(0, 20),
                caller=f"c{draw.randrange(6)}",
                target=draw.choice(TOOLS),
                duration_ms=draw.lognormvariate(1, 1),
                bytes=draw.randrange(5000),
            )
            if draw.random() < 0.3:
                rule, result = draw.choice([("not_found", "not_found"), ("caller_rate", "rate_limited")])
                entry = refused(rule, result, at=entry.at, caller=entry.caller, target=entry.target)
            made.append(entry)
            await log.append(entry)
    return made


async def test_figures_of_every_window_are_those_of_the_calls_in_it(tmp_path):
    clock = SetClock()
    log, stats = await live(tmp_path, clock)
    made = await a_month(log, clock, 50, random.Random(5))
    await log.close()
    for window in WINDOWS.values():
        found = asked(stats, window)
        inside = [entry for entry in made if entry.at >= found.since]
        assert found.total.calls == len(inside)
        assert found.total.bytes_sum == sum(entry.bytes for entry in inside)
        assert sum(row.calls for row in found.by_tool) == len(inside)
        assert sum(row.calls for row in found.by_caller) == len(inside)
        for row in found.by_caller:
            own = [entry for entry in inside if entry.caller == row.key]
            assert row.calls == len(own)
            assert row.rejected_rate == sum(entry.result == "rate_limited" for entry in own)


@pytest.mark.parametrize("kept", ["all", "none", "some", "garbage", "of another file", "cut short"])
async def test_after_a_restart_the_figures_are_the_same_with_and_without_kept_ones(tmp_path, kept):
    clock, draw = SetClock(), random.Random(11)
    log, stats = await live(tmp_path, clock)
    await a_month(log, clock, 35, draw)
    before = figures(stats)
    await log.close()
    assert figures(stats) == before

    paths = sorted(tmp_path.glob("*.stats"))
    assert len(paths) == len(list(tmp_path.glob("audit-*.jsonl"))) > 10
    for number, path in enumerate(paths):
        if kept == "none" or (kept == "some" and number % 2):
            path.unlink()
        elif kept == "garbage":
            path.write_bytes(b'["figures",1,\xff\n')
        elif kept == "of another file":
            path.write_bytes(paths[0].read_bytes())
        elif kept == "cut short":
            path.write_bytes(path.read_bytes()[: draw.randrange(1000)])

    log, again = await live(tmp_path, clock)
    assert figures(again) == before
    await a_month(log, clock, 2, draw)
    after = figures(again)
    await log.close()
    log, third = await live(tmp_path, clock)
    assert figures(third) == after
    await log.close()


async def test_after_a_kill_the_open_file_is_counted_to_its_end(tmp_path):
    clock = SetClock()
    log, stats = await live(tmp_path / "log", clock, file_max_bytes=1 << 20)
    await log.append(a_call())
    await log.close()
    log, stats = await live(tmp_path / "log", clock, file_max_bytes=1 << 20)
    for _ in range(5):
        await log.append(a_call())
    # As a kill would leave it: the figures are kept for the first record only.
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in (tmp_path / "log").iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    await log.close()
    log, again = await live(copy, clock, file_max_bytes=1 << 20)
    assert asked(again).total.calls == asked(stats).total.calls == 6
    await log.close()


async def test_while_a_closed_files_figures_are_written_down_nothing_is_missing_or_double(tmp_path):
    clock = SetClock()
    log, stats = await live(tmp_path, clock, file_max_bytes=4096)
    for number in range(1, 200):
        await log.append(a_call(at=clock.time))
        assert asked(stats).total.calls == number
        assert asked(stats, 7 * DAY).total.calls == number
    await log.close()


async def test_kept_figures_go_with_their_audit_file(tmp_path):
    clock = SetClock()
    log, _ = await live(tmp_path, clock, keep_days=2)
    for _ in range(10):
        await log.append(a_call(at=clock.time))
        clock.time += DAY
    await log.close()
    files = {path.name for path in tmp_path.glob("audit-*.jsonl")}
    assert {path.name.removesuffix(".stats") for path in tmp_path.glob("*.stats")} == files
    assert len(files) < 6


async def test_figures_that_cannot_be_kept_cost_no_record_and_no_figure(tmp_path):
    clock = SetClock()
    log, stats = await live(tmp_path, clock, file_max_bytes=4096)
    first = next(tmp_path.glob("audit-*.jsonl"))
    # Nothing can be written where a directory stands.
    (tmp_path / f"{beside(first).name}.new").mkdir()
    for _ in range(30):
        await log.append(a_call())
    await asyncio.sleep(0)
    await log.close()
    assert asked(stats).total.calls == 30
    assert not beside(first).exists()


def test_a_call_that_began_in_the_hour_before_counts_there_also_when_that_is_frozen():
    stats = a_stats(SetClock(NOON + 2 * HOUR))
    for number in range(100):
        seen(stats, a_call(at=NOON, caller=f"c{number % 10}"))
    for _ in range(100):
        seen(stats, a_call(at=NOON + HOUR))
        seen(stats, a_call(at=NOON + HOUR - 5, caller="c3"))
    found = asked(stats)
    assert found.total.calls == 300
    assert asked(stats, caller="c3").total.calls == 110
    frozen = stats._open.spans[int(NOON // HOUR)].tallies.values()
    assert sum(isinstance(tally, bytes) for tally in frozen) > len(frozen) / 2
