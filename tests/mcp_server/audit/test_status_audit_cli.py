"""fly-gha-status audit: what was asked, whether the record is whole, and the right exit code."""

import json
import os
import signal
import subprocess
import sys

import pytest
from audit_world import an_entry, audit_files, opened, records
from typer.testing import CliRunner

from mcp_server.cli.audit import app
from mcp_server.settings import StatusSettings

NO, BAD_USE, UNREACHABLE = 1, 2, 3


@pytest.fixture
async def log(tmp_path):
    directory = tmp_path / "log"
    async with opened(directory) as log:
        for number in range(5):
            await log.append(an_entry(number, at=1_800_000_000.0 + number))
        refused = {"allowed": False, "rule": "caller_rate", "result": "rate_limited", "repeats": 7}
        await log.append(an_entry("refused", revision=None, **refused))
    return directory


def ask(*arguments, env=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env=env)


def test_tail_prints_the_last_records_in_their_order(log):
    done = ask("tail", "-n", 2, "--dir", log)
    lines = done.stdout.splitlines()
    assert done.exit_code == 0
    assert len(lines) == 2
    assert lines[0].startswith("2027-01-15T08:00:04.000Z #6  abcd2345 (agent)  tools/call queue_list  {")
    assert "rate_limited [caller_rate]  x7" in lines[1]


@pytest.mark.parametrize("verb", ["tail", "query", "verify"])
def test_without_a_directory_the_log_is_read_where_the_server_keeps_it(log, tmp_path, verb):
    kept = tmp_path / StatusSettings.model_fields["audit_dir"].default.relative_to("~")
    kept.parent.mkdir(parents=True)
    log.rename(kept)
    done = ask(verb, env={"HOME": str(tmp_path), "FLY_GHA_STATUS_AUDIT_DIR": None})
    assert done.exit_code == 0, done.stderr


def test_tail_as_json_is_one_record_a_line_as_the_log_has_it(log):
    done = ask("tail", "--json", "--dir", log)
    path = audit_files(log)[0]
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        json.loads(line) for line in path.read_text().splitlines()
    ]


def test_query_filters_and_says_how_to_go_on(log):
    done = ask("query", "--result", "ok", "--limit", 2, "--json", "--dir", log)
    page = json.loads(done.stdout)
    assert [record["call_id"] for record in page["records"]] == ["call-4", "call-3"]
    done = ask("query", "--result", "ok", "--cursor", page["cursor"], "--dir", log)
    assert "call-2" in done.stdout
    assert "call-3" not in done.stdout
    assert "--cursor" in ask("query", "--limit", 1, "--dir", log).stderr


@pytest.mark.parametrize(
    ("since", "found"), [("2027-01-15T08:00:03Z", 3), ("1800000003", 3), ("2026-01-01T00:00:00Z", 6)]
)
def test_query_takes_times(log, since, found):
    assert len(ask("query", "--since", since, "--dir", log).stdout.splitlines()) == found


def test_query_takes_how_long_ago(log):
    assert ask("query", "--until", "90s", "--dir", log).exit_code in (0, NO)


def test_nothing_found_is_a_no(log):
    done = ask("query", "--caller", "nobody", "--dir", log)
    assert (done.exit_code, done.stdout) == (NO, "")
    assert json.loads(ask("query", "--caller", "nobody", "--json", "--dir", log).stdout)["records"] == []


def test_verify_prints_the_head_and_takes_it_back(log):
    last = records(log)[-1]
    done = ask("verify", "--dir", log)
    assert done.exit_code == 0
    assert f"head {last.seq}:{last.hash}" in done.stdout
    assert ask("verify", "--expect", f"{last.seq}:{last.hash}", "--dir", log).exit_code == 0
    missing = ask("verify", "--expect", f"{last.seq + 1}:{last.hash}", "--dir", log)
    assert missing.exit_code == NO
    assert "is missing: the log ends at record 7" in missing.stdout


def test_verify_names_the_first_broken_link_in_words_and_as_json(log):
    path = audit_files(log)[0]
    path.write_bytes(path.read_bytes().replace(b"call-2", b"call-9"))
    done = ask("verify", "--dir", log)
    assert done.exit_code == NO
    assert f"The chain is broken: {path.name}, line 4, record 4: this record was changed" in done.stdout
    told = json.loads(ask("verify", "--json", "--dir", log).stdout)
    assert told["holds"] is False
    assert (told["broken"]["file"], told["broken"]["line"], told["broken"]["seq"]) == (path.name, 4, 4)


@pytest.mark.parametrize(
    "arguments",
    [
        ("query", "--since", "yesterday"),
        ("verify", "--expect", "7"),
        ("query", "--limit", 0),
        ("tail", "--what"),
    ],
)
def test_bad_use_is_told_as_such(log, arguments):
    done = ask(*arguments, "--dir", log)
    assert done.exit_code == BAD_USE
    assert "Traceback" not in done.output


@pytest.mark.parametrize("verb", ["tail", "query", "verify"])
def test_a_directory_without_a_log_is_unreachable_and_logs_below_are_named(log, verb):
    done = ask(verb, "--dir", log.parent)
    assert done.exit_code == UNREACHABLE
    assert str(log) in done.stderr
    assert ask(verb, "--dir", log / "missing").exit_code == UNREACHABLE


def test_the_directory_may_come_from_the_environment(log):
    assert ask("verify", env={"FLY_GHA_STATUS_AUDIT_DIR": str(log)}).exit_code == 0


def test_a_tampered_log_cannot_write_to_the_terminal(log):
    path = audit_files(log)[0]
    path.write_bytes(path.read_bytes().replace(b"queue_list", b"\\u001b[2J\\u202e"))
    assert "\x1b" not in ask("tail", "--dir", log).stdout
    assert "\u202e" not in ask("query", "--dir", log).stdout


async def test_tail_follows_until_it_is_interrupted(tmp_path):
    async with opened(tmp_path) as log:
        await log.append(an_entry("before"))
        code = "from mcp_server.cli.audit import app; app()"
        process = subprocess.Popen(  # noqa: ASYNC220 - the lines it prints are what is waited for
            [sys.executable, "-uc", code, "tail", "-n", "1", "--follow", "--dir", str(tmp_path)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            text=True,
        )
        try:
            assert "call-before" in process.stdout.readline()
            await log.append(an_entry("after"))
            assert "call-after" in process.stdout.readline()
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
