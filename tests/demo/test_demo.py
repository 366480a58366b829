"""The demo as a person runs it: real processes, exit 0 when the world ends clean, 1 when it does not."""

import dataclasses
import fcntl
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from runners.cli.demo.options import Sabotage
from runners.cli.demo.summary import PHASES, Summary

pytestmark = [pytest.mark.xdist_group("processes"), pytest.mark.timeout(110)]


GONE_DEADLINE_S = 20.0


def demo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "runners.cli", "demo", "--folder", str(folder), *arguments]
    environment = {**os.environ, "COLUMNS": "80", "NO_COLOR": "1"}
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


def test_the_demo_ends_clean_and_writes_every_documented_field(tmp_path: Path) -> None:
    done = demo(tmp_path / "d", "--json", str(tmp_path / "summary.json"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "PASSED" in done.stdout
    assert "Traceback" not in done.stderr

    summary = json.loads((tmp_path / "summary.json").read_text())
    assert set(summary) == {field.name for field in dataclasses.fields(Summary)} | {"ok"}
    assert summary["ok"] is True
    assert summary["jobs"] == 60
    assert all(summary["phases"][name]["samples"] > 50 for name in PHASES)
    assert summary["added_latency"]["samples"] > 0
    # Every log of the demo is free of what it kept secret.
    secrets = [
        line.partition("=")[2] for line in (tmp_path / "d/dispatcher.secrets").read_text().splitlines()
    ]
    for log in (tmp_path / "d").glob("*.log"):
        assert secrets[1] not in log.read_text(errors="replace")


def test_sabotage_makes_the_demo_fail_where_the_world_is_wrong_and_nowhere_else(tmp_path: Path) -> None:
    sabotage = [word for kind in Sabotage for word in ("--sabotage", kind)]
    done = demo(tmp_path / "d", "--jobs", "12", "--scale", "40", *sabotage)
    assert done.returncode == 1, done.stdout + done.stderr
    assert set(re.findall(r"FAILED (\w+):", done.stdout)) == {
        "caps_held",
        "no_live_machine",
        "no_registration_left",
    }


def test_a_second_demo_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "d"
    folder.mkdir()
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = demo(folder)
    assert done.returncode == 3
    assert "another demo uses" in done.stderr


def test_a_summary_file_in_a_missing_folder_is_refused_before_anything_starts(tmp_path: Path) -> None:
    done = demo(tmp_path / "d", "--json", str(tmp_path / "missing" / "summary.json"))
    assert done.returncode == 2
    assert "does not exist" in done.stderr
    assert not (tmp_path / "d").exists()


def test_a_place_that_cannot_be_written_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Neither exists for anyone, root included: a file is no folder, and a folder is no file."""
    (tmp_path / "file").touch()
    no_folder = demo(tmp_path / "file" / "d")
    assert no_folder.returncode == 3
    assert no_folder.stderr.startswith("The demo did not start")
    no_file = demo(tmp_path / "d", "--json", str(tmp_path))
    assert no_file.returncode == 2
    assert "cannot be written" in no_file.stderr
    assert not (tmp_path / "d").exists()


def processes_of(folder: Path) -> list[str]:
    """Command lines of everything that runs for the demo in that folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # It ended while we looked.
        if str(folder) in line:
            found.append(line)
    return found


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_no_process_outlives_the_demo_however_it_is_ended(tmp_path: Path, told: signal.Signals) -> None:
    folder = tmp_path / "d"
    command = [sys.executable, "-m", "runners.cli", "demo", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("dispatcher on SQLite" in line for line in process.stdout)
        assert any("serve --config" in line for line in processes_of(folder))
        process.send_signal(told)
        _, said = process.communicate(timeout=30)
    assert process.returncode == (-told if told is signal.SIGKILL else 1)
    assert told is signal.SIGKILL or said.startswith("Stopped")
    until = time.monotonic() + GONE_DEADLINE_S
    while left := processes_of(folder):
        assert time.monotonic() < until, left
        time.sleep(0.1)
