"""status, why and events against a dispatcher that runs: answers, exit codes, never a traceback."""

import http.server
import io
import json
import os
import re
import signal
import sys
import threading

import pytest
from cli_world import ask, running, stopped, until, until_line
from rich.console import Console

from runners.cli.status import glance
from runners.wire.event import EventView
from runners.wire.job import JobView
from runners.wire.status import FleetStatus

NOBODY = {"FLY_GHA_URL": "http://127.0.0.1:9"}
READERS = (("status",), ("why", "12"), ("events",))


SIZES = ("medium", "small")


def drawn(status):
    console = Console(width=80, file=io.StringIO())
    console.print(glance(status))
    return re.sub(" *\n", "\n", console.file.getvalue())


def fits(text):
    return max(len(line) for line in text.splitlines()) <= 80


def test_status_shows_every_pool_in_eighty_columns(world):
    done = ask("status", env=world.access)
    assert done.exit_code == 0, done.stderr
    assert "fleet demo" in done.stdout
    assert "gha-medium" in done.stdout
    assert "gha-small" in done.stdout
    assert fits(done.stdout)


def test_status_tells_spares_where_some_are_kept_or_there(world):
    status = json.loads(ask("status", "--json", env=world.access).stdout)
    shown = drawn(status)
    assert "spares of" not in shown
    medium, small = (next(pool for pool in status["pools"] if pool["name"].endswith(size)) for size in SIZES)
    medium["spares"].update(ready=1, ready_wanted=2, stopped=3, stopped_wanted=3, outdated=1)
    small["spares"].update(stopped=1)
    shown = drawn(status)
    assert "  spares of gha-medium: 1 of 2 ready, 3 of 3 stopped, 1 outdated, being replaced\n" in shown
    assert "  spares of gha-small: 1 of 0 stopped\n" in shown
    assert fits(shown)


def test_status_counts_what_is_held_back_but_not_for_a_pool_that_its_group_closes(world):
    status = json.loads(ask("status", "--json", env=world.access).stdout)
    status["held"] = [
        {"reason": reason, "pool": "gha-small", "count": 1, "text": f"{reason}: because", "until": None}
        for reason in ("group_allows_public", "no_capacity")
    ]
    shown = drawn(status)
    assert "  gha-small launches nothing: group_allows_public: because\n" in shown
    assert "  held in gha-small: 1 x no_capacity: because\n" in shown


def test_status_as_json_is_the_apis_answer(world):
    done = ask("status", "--json", env=world.access)
    status = FleetStatus.read(done.stdout)
    assert status.fleet == "demo"
    assert {pool.name for pool in status.pools} == {"gha-medium", "gha-small"}


def test_why_tells_a_jobs_way_phase_by_phase_in_eighty_columns(world):
    done = ask("why", str(world.job_id), env=world.access)
    assert done.exit_code == 0, done.stderr
    for word in ("acme/web", "gha-medium", "completed (success)", "requested", "claimed", "gone"):
        assert word in done.stdout
    assert fits(done.stdout)


def test_why_takes_the_address_of_a_job_and_of_a_run_as_the_browser_shows_it(world):
    run_url = world.job_url.partition("/job/")[0]
    check_url = f"https://github.com/acme/web/runs/{world.job_id}"
    for url in (world.job_url, f"{world.job_url}?pr=7#step:2:1", run_url, f"{run_url}/attempts/1", check_url):
        asked = ask("why", url, "--json", env=world.access)
        assert asked.exit_code == 0, (url, asked.stderr)
        assert JobView.read(asked.stdout).id == world.job_id


def test_why_about_an_unknown_job_or_run_is_a_no(world):
    for job in ("999", "https://github.com/acme/web/actions/runs/999"):
        done = ask("why", job, env=world.access)
        assert done.exit_code == 1
        assert done.stdout == ""
        assert done.stderr.strip()


def test_why_ends_with_what_to_do(world):
    job_id = world.queue("fly-gha-larg")["job_ids"][0]
    until(lambda: ask("why", str(job_id), env=world.access).exit_code == 0)
    done = ask("why", str(job_id), env=world.access)
    assert "  next: Mend `runs-on`, or add the labels to a pool." in done.stdout


def test_why_about_a_run_shows_no_phases_that_its_list_does_not_tell(world):
    done = ask("why", world.job_url.partition("/job/")[0], env=world.access)
    assert done.exit_code == 0, done.stderr
    assert "phase" not in done.stdout


@pytest.mark.parametrize("job", ["the slow one", "", "-1", "9" * 40, "https://example.com/", "12; rm"])
def test_why_about_what_is_no_job_is_bad_use(world, job):
    assert ask("why", "--", job, env=world.access).exit_code == 2


def test_events_come_newest_last_and_filtered(world):
    done = ask("events", "--json", "--target", f"job/{world.job_id}", env=world.access)
    events = [EventView.read(line) for line in done.stdout.splitlines()]
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    assert {event.target for event in events} == {f"job/{world.job_id}"}
    limited = ask("events", "--limit", "2", env=world.access)
    assert limited.exit_code == 0
    assert len(limited.stdout.splitlines()) == 2


@pytest.mark.parametrize(
    "arguments", [("--limit", "0"), ("--limit", "many"), ("--target", "\x00"), ("--colour",)]
)
def test_events_with_a_wrong_option_are_bad_use(world, arguments):
    if "\x00" in arguments[-1]:
        arguments = ("--target", "\t")
    assert ask("events", *arguments, env=world.access).exit_code == 2


def test_following_events_shows_what_happens_and_ends_with_ctrl_c(world):
    command = [
        sys.executable,
        "-m",
        "runners.cli",
        "events",
        "--follow",
        "--limit",
        "1",
        "--actor",
        "webhook",
    ]
    with running(command, {**world.access, "PYTHONUNBUFFERED": "1"}) as following:
        until_line(following, "webhook")
        job_id = world.queue("fly-gha-small")["job_ids"][0]
        until_line(following, f"job/{job_id}")
        assert stopped(following, signal.SIGINT) in (0, 1, 130)


def test_that_nothing_matches_is_said_aside(world):
    done = ask("events", "--target", "job/1", env=world.access)
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no such event" in done.stderr


@pytest.mark.parametrize("arguments", READERS)
def test_without_a_valid_token_nothing_is_shown_and_the_next_step_is_said(world, arguments):
    url = {"FLY_GHA_URL": world.place.url}
    for token in ({}, {"FLY_GHA_TOKEN": "fgr_aaaaaaaa_" + "x" * 43}, {"FLY_GHA_TOKEN": "ghp_nothing"}):
        done = ask(*arguments, env={**url, **token})
        assert done.exit_code == 3
        assert done.stdout == ""
        assert "Next:" in done.stderr
        assert "xxx" not in done.stderr


def test_who_gives_no_token_is_told_where_the_command_line_takes_one(world):
    done = ask("status", env={"FLY_GHA_URL": world.place.url})
    assert done.exit_code == 3
    assert "--token-file" in done.stderr
    assert "Authorization" not in done.stderr


def test_the_next_step_is_one_of_the_command_line(world):
    done = ask("runner", "nobody", env=world.access)
    assert done.stderr.rstrip().endswith("Next: list what there is: `fly-gha runners --all`.")
    done = ask("jobs", "--pool", "gha-smal", env=world.access)
    assert done.stderr.rstrip().endswith("?")


@pytest.mark.parametrize("arguments", READERS)
def test_a_dispatcher_that_is_not_there_is_unreachable(arguments):
    done = ask(*arguments, env=NOBODY)
    assert done.exit_code == 3
    assert "fly-gha serve" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    "url", ["not a url", "ftp://127.0.0.1", "http://", "http://[", "http://127.0.0.1:99999"]
)
def test_a_wrong_url_is_bad_use(url):
    done = ask("status", "--url", url)
    assert done.exit_code == 2, done.stderr
    assert done.stderr.strip()


def test_something_else_than_a_dispatcher_is_unreachable():
    class Other(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<html>hello</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        for arguments in READERS:
            done = ask(*arguments, env={"FLY_GHA_URL": f"http://127.0.0.1:{server.server_port}"})
            assert done.exit_code == 3
            assert "not a fly-gha dispatcher" in done.stderr
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_token_file_that_cannot_be_read_is_bad_use(tmp_path):
    done = ask("status", "--token-file", str(tmp_path / "none"))
    assert done.exit_code == 2
    assert "none" in done.stderr


def test_a_token_file_that_is_no_text_is_bad_use(tmp_path):
    (tmp_path / "token").write_bytes(os.urandom(64) + b"\xff\xfe")
    assert ask("status", "--token-file", str(tmp_path / "token")).exit_code == 2


def test_answers_are_one_json_document(world):
    for arguments in (("status", "--json"), ("why", str(world.job_id), "--json")):
        json.loads(ask(*arguments, env=world.access).stdout)
