"""tools/setup.sh on machines that lack something: a first line at once, then one sentence."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools/setup.sh"
# A Python that answers as told to each of the script's questions.
STUB = """#!/bin/sh
case "$*" in
    *version_info*) exit {too_old} ;;
    -V) echo "Python 3.9.2" ;;
    *"import venv"*) exit {no_venv} ;;
    *) echo "asked: $*" >> "{log}"; exit {broken} ;;
esac
"""


def setup(folder, *, too_old=0, no_venv=0, broken=0, python=None):
    stub = folder / "python"
    stub.write_text(STUB.format(too_old=too_old, no_venv=no_venv, broken=broken, log=folder / "log"))
    stub.chmod(0o755)
    command = ["sh", str(SCRIPT), python or str(stub), str(folder / "venv")]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def one_sentence(done):
    assert done.returncode != 0
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("setup: ")
    return lines[0]


def test_a_python_without_venv_gets_one_sentence_with_the_fix(tmp_path):
    assert "apt-get install python3-venv" in one_sentence(setup(tmp_path, no_venv=1))
    assert not (tmp_path / "venv").exists()


def test_a_python_too_old_gets_one_sentence_with_its_version_and_the_fix(tmp_path):
    said = one_sentence(setup(tmp_path, too_old=1))
    assert "Python 3.9.2" in said
    assert "make setup PYTHON=" in said


def test_no_python_at_all_gets_one_sentence_with_the_fix(tmp_path):
    said = one_sentence(setup(tmp_path, python="python-that-is-not-there"))
    assert "python-that-is-not-there" in said
    assert "3.11" in said


def test_an_environment_that_cannot_be_made_fails(tmp_path):
    assert setup(tmp_path, broken=1).returncode != 0
    assert not (tmp_path / "venv/.ready").exists()


def test_the_first_line_comes_within_two_seconds_and_says_what_goes_on(tmp_path):
    """Even with a Python that takes its time for every answer."""
    slow = tmp_path / "python"
    slow.write_text("#!/bin/sh\nsleep 5\nexit 1\n")
    slow.chmod(0o755)
    began = time.perf_counter()
    process = subprocess.Popen(
        ["sh", str(SCRIPT), str(slow), str(tmp_path / "venv")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        line = process.stdout.readline()
        assert time.perf_counter() - began < 2.0
        assert "preparing" in line
        assert "locked dependencies" in line
    finally:
        os.killpg(process.pid, 9)
        process.wait()
        process.stdout.close()


def test_make_starts_it_for_whoever_has_no_environment_yet(tmp_path):
    """The Makefile's targets need the environment, and only its marker says that it is whole."""
    command = ["make", "-n", f"VENV={tmp_path}/venv", f"PYTHON={sys.executable}"]
    for target in ("demo", "test", "check", "bench"):
        planned = subprocess.run([*command, target], capture_output=True, text=True, check=True, cwd=ROOT)
        assert planned.stdout.startswith(f'sh tools/setup.sh "{sys.executable}" "{tmp_path}/venv"')


def test_only_wheels_at_hashed_versions_are_installed():
    script = SCRIPT.read_text()
    for flag in ("--only-binary :all:", "--require-hashes", "--no-deps"):
        assert flag in script
    locked = (ROOT / "requirements/dev.txt").read_text()
    packages = [line for line in locked.splitlines() if line and not line.startswith((" ", "#"))]
    assert packages
    assert all("==" in line for line in packages)
    assert locked.count("--hash=sha256:") >= len(packages)
    assert "://" not in locked
