"""A record is one line of plain JSON whose hash anybody can check."""

import hashlib
import json
import subprocess

import pytest
from audit_world import an_entry
from hypothesis import given
from hypothesis import strategies as st

from mcp_server.audit.record import (
    GENESIS,
    NotARecord,
    chained,
    content,
    line_bytes,
    read_record,
    sealed,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_the_documented_shell_command_gives_the_hash(tmp_path):
    entry = an_entry(1, arguments={"text": 'a "quoted" \\ \u202e text'})
    record, line = chained(entry, content(entry), 7, GENESIS)
    (tmp_path / "log").write_bytes(line)
    command = """sed -n 1p log | tr -d '\\n' | sed 's/,"hash":"[0-9a-f]*"}$/}/' | sha256sum"""
    done = subprocess.run(command, shell=True, cwd=tmp_path, capture_output=True, check=True, text=True)  # noqa: S602
    assert done.stdout.split()[0] == record.hash


@given(st.dictionaries(st.text(), JSON, max_size=4), st.text(), st.integers(1, 10**9))
def test_every_record_reads_back_as_it_was_written(arguments, target, seq):
    entry = an_entry(1, arguments=arguments, target=target)
    record, line = chained(entry, content(entry), seq, GENESIS)
    assert read_record(line) == record
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert line.isascii()
    assert len(line) == line_bytes(content(entry), seq)
    assert sealed(line[:-1]) == record.hash
    assert json.loads(line)["arguments"] == arguments


def test_a_lone_surrogate_can_be_recorded():
    entry = an_entry(1, target="\ud800")
    assert read_record(chained(entry, content(entry), 1, GENESIS)[1]).entry.target == "\ud800"


def test_the_hash_covers_the_number_the_one_before_and_every_member():
    entry = an_entry(1)
    base = chained(entry, content(entry), 1, GENESIS)[0].hash
    assert chained(entry, content(entry), 2, GENESIS)[0].hash != base
    assert chained(entry, content(entry), 1, "1" * 64)[0].hash != base
    for other in ({"at": 1.0}, {"caller": "x"}, {"repeats": 2}, {"upstream_ids": ()}, {"revision": None}):
        changed = an_entry(1, **other)
        assert chained(changed, content(changed), 1, GENESIS)[0].hash != base


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", "null", "7", "nonsense", "[" * 100_000, '{"seq":1,"prev":"","hash":""}', "\x00"]
)
def test_what_is_no_record_is_refused(line):
    with pytest.raises(NotARecord):
        read_record(line)


@pytest.mark.parametrize("line", [b"", b"}", b"x" * 500, b"{" + b'"' * 100])
def test_what_is_no_line_of_the_log_is_not_sealed(line):
    assert sealed(line) is None


def test_a_line_with_another_hash_than_its_own_is_not_sealed():
    line = chained(an_entry(1), content(an_entry(1)), 1, GENESIS)[1][:-1]
    assert sealed(line) == hashlib.sha256(line[:-75] + b"}").hexdigest()
    assert sealed(line.replace(b"call-1", b"call-2")) is None
