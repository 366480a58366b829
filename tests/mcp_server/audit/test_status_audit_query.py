"""Query and tail read while the server writes: by who, what, how it ended and when, the newest first."""

import random

import pytest
from audit_world import DAY, NOON, SetClock, an_entry, audit_files, opened, records

from mcp_server.audit.query import Query, matches, query
from mcp_server.audit.reading import Follower
from mcp_server.audit.record import OWN

CALLERS = ("abcd2345", "efgh6723")
TOOLS = ("queue_list", "job_explain", 'a "quoted" tool', "fleet://jobs/7")
ENDS = (("allowed", "ok"), ("argument_invalid", "validation"), ("caller_rate", "rate_limited"))


@pytest.fixture
async def log(tmp_path):
    random_, clock = random.Random(3), SetClock()
    async with opened(tmp_path, clock=clock, file_max_bytes=8192) as log:
        for number in range(200):
            clock.time = NOON + number * 60
            caller, tool = random_.choice(CALLERS), random_.choice(TOOLS)
            rule, result = random_.choice(ENDS)
            await log.append(
                an_entry(
                    number,
                    at=clock.time,
                    caller=caller,
                    caller_name="x",
                    target=tool,
                    rule=rule,
                    result=result,
                )
            )
    return tmp_path


@pytest.mark.parametrize(
    "asked",
    [
        Query(),
        Query(caller="abcd2345"),
        Query(caller="x"),
        Query(tool="job_explain"),
        Query(tool='a "quoted" tool'),
        Query(rule="caller_rate"),
        Query(result="ok"),
        Query(result="failed"),
        Query(result="validation", tool="queue_list", caller="efgh6723"),
        Query(call="call-77"),
        Query(since=NOON + 3000, until=NOON + 6000),
        Query(before=50),
        Query(remarks=True),
        Query(caller="nobody"),
    ],
)
def test_a_query_finds_exactly_the_records_that_match_the_newest_first(log, asked):
    expected = [record for record in reversed(records(log)) if matches(record, asked)]
    found = query(log, asked, 1000)
    assert list(found.records) == expected
    assert (found.cursor, found.unreadable) == (None, 0)


def test_pages_follow_each_other_without_a_gap_or_a_double(log):
    seen, cursor = [], None
    while True:
        page = query(log, Query(result="failed", before=cursor), 7)
        assert len(page.records) <= 7
        seen.extend(page.records)
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == list(query(log, Query(result="failed"), 1000).records)
    assert len(seen) > 50


def test_a_last_page_that_is_just_full_says_that_there_is_no_more(log):
    everything = query(log, Query(), 1000).records
    assert query(log, Query(), len(everything)).cursor is None
    assert query(log, Query(), len(everything) - 1).cursor == everything[-2].seq


def test_the_logs_own_remarks_are_told_only_when_asked_for(log):
    assert not any(record.entry.operation.startswith(OWN) for record in query(log, Query(), 1000).records)
    assert any(
        record.entry.operation.startswith(OWN) for record in query(log, Query(remarks=True), 1000).records
    )


def test_lines_that_are_no_records_are_counted_and_not_in_the_way(log):
    path = audit_files(log)[1]
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([lines[0], b"nonsense\n", *lines[1:]]))
    found = query(log, Query(), 1000)
    assert (len(found.records), found.unreadable) == (200, 1)


def test_files_older_than_what_is_asked_for_are_not_read(log):
    audit_files(log)[0].write_bytes(b"nonsense\n")
    assert query(log, Query(since=NOON + 190 * 60), 1000).unreadable == 0


async def test_a_follower_gives_each_new_record_once_over_rotations(tmp_path):
    clock = SetClock()
    async with opened(tmp_path, clock=clock, file_max_bytes=4096, keep_days=2) as log:
        for number in range(12):
            await log.append(an_entry(number))
        follower = Follower(tmp_path, after=10)
        seen = len(follower.more())
        assert seen == 3
        assert follower.more() == []
        for number in range(40):
            clock.time += DAY / 7
            await log.append(an_entry(number, at=clock.time))
            if number % 3 == 0:
                found = follower.more()
                assert found
                seen += len(found)
        seen += len(follower.more())
        assert seen == records(tmp_path)[-1].seq - 10


async def test_a_follower_waits_for_the_end_of_a_line(tmp_path):
    async with opened(tmp_path) as log:
        await log.append(an_entry(1))
    path = audit_files(tmp_path)[0]
    content = path.read_bytes()
    path.write_bytes(content[:-10])
    follower = Follower(tmp_path, after=0)
    assert len(follower.more()) == 1
    path.write_bytes(content)
    assert len(follower.more()) == 1
