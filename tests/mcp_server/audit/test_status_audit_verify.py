"""Verify: whatever was done to a log, the first wrong link is named."""

import hashlib
import json
import shutil

import pytest
from audit_world import an_entry, audit_files, opened, records, verdict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mcp_server.audit.record import GENESIS, RETENTION, chained, content
from mcp_server.audit.verify import Head, verify

FILES, EACH = 3, 7


@pytest.fixture
async def log(tmp_path):
    directory = tmp_path / "log"
    async with opened(directory, file_max_bytes=4096) as log:
        for number in range(FILES * EACH - 1):
            await log.append(an_entry(number))
    return directory


def lines_of(directory):
    return [path.read_bytes().splitlines(keepends=True) for path in audit_files(directory)]


def write(path, lines):
    path.write_bytes(b"".join(lines))


def place(broken):
    return (broken.file, broken.line, broken.seq)


def test_a_whole_log_holds_and_its_head_is_told(log):
    found = verdict(log)
    assert found.broken is None
    assert found.records == len(records(log))
    assert found.files == len(audit_files(log)) >= FILES
    assert (found.first.seq, found.head) == (1, Head(records(log)[-1].seq, records(log)[-1].hash))


@pytest.mark.parametrize("file", [0, 1, 2])
@pytest.mark.parametrize("line", [0, 2, 4])
def test_a_changed_line_is_named(log, file, line):
    path = audit_files(log)[file]
    lines = lines_of(log)[file]
    seq = json.loads(lines[line])["seq"]
    lines[line] = lines[line].replace(b'"stale":false', b'"stale":true')
    write(path, lines)
    assert place(verdict(log).broken) == (path.name, line + 1, seq)
    assert "was changed" in verdict(log).broken.what


def test_a_changed_line_whose_own_hash_was_made_anew_shows_at_the_next_one(log):
    path, lines = audit_files(log)[1], lines_of(log)[1]
    changed = lines[2].replace(b'"stale":false', b'"stale":true')[: -len(',"hash":"') - 64 - 3]
    lines[2] = changed + b',"hash":"' + hashlib.sha256(changed + b"}").hexdigest().encode() + b'"}\n'
    write(path, lines)
    assert place(verdict(log).broken)[:2] == (path.name, 4)
    assert "does not follow the one before" in verdict(log).broken.what


def test_a_removed_line_is_named_with_how_many_are_missing(log):
    path, lines = audit_files(log)[1], lines_of(log)[1]
    write(path, lines[:2] + lines[4:])
    assert place(verdict(log).broken)[:2] == (path.name, 3)
    assert verdict(log).broken.what.startswith("2 records are missing")


def test_two_lines_in_the_wrong_order_are_named(log):
    path, lines = audit_files(log)[0], lines_of(log)[0]
    lines[2], lines[3] = lines[3], lines[2]
    write(path, lines)
    assert place(verdict(log).broken) == (path.name, 3, 4)


def test_a_line_that_is_there_twice_is_named(log):
    path, lines = audit_files(log)[0], lines_of(log)[0]
    write(path, [*lines[:3], lines[2], *lines[3:]])
    assert place(verdict(log).broken) == (path.name, 4, 3)
    assert "out of its order" in verdict(log).broken.what


def test_an_inserted_record_is_named_where_it_or_the_next_one_stands(log):
    path, lines = audit_files(log)[0], lines_of(log)[0]
    before = records(log)[2]
    forged = an_entry("forged")
    _, line = chained(forged, content(forged), before.seq + 1, before.hash)
    write(path, [*lines[:3], line, *lines[3:]])
    assert place(verdict(log).broken)[:2] == (path.name, 5)


def test_a_removed_middle_file_is_named_at_the_file_behind_it(log):
    _, middle, last = audit_files(log)
    middle.unlink()
    assert place(verdict(log).broken)[:2] == (last.name, 1)
    assert "missing" in verdict(log).broken.what


def test_an_emptied_file_is_named(log):
    middle = audit_files(log)[1]
    middle.write_bytes(b"")
    assert verdict(log).broken.file == middle.name
    assert "empty" in verdict(log).broken.what


def test_a_removed_beginning_is_named(log):
    audit_files(log)[0].unlink()
    assert verdict(log).broken.what.startswith("the beginning is missing")


def test_a_removed_end_shows_only_against_a_head_noted_elsewhere(log):
    head = verdict(log).head
    path, lines = audit_files(log)[-1], lines_of(log)[-1]
    write(path, lines[:-2])
    assert verdict(log).broken is None
    broken = verdict(log, [head]).broken
    assert (broken.seq, broken.what) == (
        head.seq,
        f"the expected record {head.seq} is missing: the log ends at record {head.seq - 2}",
    )


def test_a_chain_that_was_written_anew_shows_against_a_head_noted_elsewhere(log, tmp_path):
    noted = Head(records(log)[4].seq, records(log)[4].hash)
    assert verdict(log, [noted]).broken is None
    prev, lines = GENESIS, []
    for record in records(log):
        forged, line = chained(record.entry, content(an_entry("forged")), record.seq, prev)
        prev = forged.hash
        lines.append(line)
    assert verify([("new", lines)]).broken is None
    assert "written anew" in verify([("new", lines)], [noted]).broken.what


def test_a_line_that_is_being_written_is_no_break_at_the_end_and_one_before(log):
    path, lines = audit_files(log)[-1], lines_of(log)[-1]
    write(path, [*lines[:-1], lines[-1][:50]])
    found = verdict(log)
    assert (found.broken, found.unfinished) == (None, 50)
    path, lines = audit_files(log)[0], lines_of(log)[0]
    write(path, [*lines[:-1], lines[-1][:50]])
    assert place(verdict(log).broken) == (path.name, len(lines), len(lines))


def test_an_argument_cannot_pose_as_a_retention(log, tmp_path):
    posing = an_entry("posing", arguments={"operation": RETENTION, "arguments": {"seq": 5, "hash": "0" * 64}})
    first = records(log)[6]
    _, line = chained(posing, content(posing), first.seq, first.prev)
    broken = verify([("only", [line])]).broken
    assert broken.what.startswith("the beginning is missing")


def test_an_empty_log_holds():
    assert verify([]).broken is None
    assert verify([("audit", [])]).broken is None
    assert verify([("audit", [])], [Head(1, GENESIS)]).broken.seq == 1


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    database=None,
)
@given(data=st.data())
def test_no_single_byte_can_be_changed_removed_or_added_unnoticed(log, tmp_path, data):
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(log, copy)
    paths = audit_files(copy)
    path = data.draw(st.sampled_from(paths))
    content_ = path.read_bytes()
    # The end of the last file may lose bytes unnoticed: without a head noted elsewhere nobody can tell.
    at = data.draw(st.integers(0, len(content_) - 1))
    kind = data.draw(st.sampled_from(["change", "remove", "add"]))
    byte = data.draw(st.integers(0, 255))
    rest = content_[at:] if kind == "add" else content_[at + 1 :]
    changed = content_[:at] + (b"" if kind == "remove" else bytes([byte])) + rest
    if changed == content_:
        return
    path.write_bytes(changed)
    head = verdict(log).head
    broken = verdict(copy, [head]).broken
    assert broken is not None
    named = broken.file or path.name
    assert audit_files(copy).index(copy / named) >= paths.index(path)
