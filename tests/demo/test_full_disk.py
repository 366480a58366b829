"""A demo for whose files there is no room ends with a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.xdist_group("processes")


def test_a_demo_without_room_for_its_database_says_so_in_one_sentence(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full."""
    program = [sys.executable, "-m", "runners.cli", "demo", "--folder", str(tmp_path / "d")]
    done = subprocess.run(
        ["sh", "-c", 'ulimit -f 64; exec "$@"', "sh", *program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "NO_COLOR": "1"},
    )
    assert done.returncode == 3
    assert "The demo broke: could not" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout
