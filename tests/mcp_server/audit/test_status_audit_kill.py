"""A process killed under load loses no record of an answered call, and the next one goes on behind it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from audit_world import calls, opened, remarks, verdict

from mcp_server.audit.directory import AuditInUse, DirectoryLock
from mcp_server.audit.record import OPENED
from runners.upstream.clock import SystemClock

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
ROUNDS = 4
ANSWERED_MIN = 1500


def killed_under_load(directory, number):
    """The calls that were answered before the process died."""
    process = subprocess.Popen(
        [sys.executable, str(HERE / "audit_under_load.py"), str(directory), str(number)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}"},
    )
    try:
        answered = [process.stdout.readline() for _ in range(ANSWERED_MIN + 37 * number)]
        with pytest.raises(AuditInUse):
            DirectoryLock(directory)
        process.send_signal(signal.SIGKILL)
        answered.extend(process.stdout)
    finally:
        process.kill()
        process.stdout.close()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return [line.decode().strip() for line in answered if line.endswith(b"\n")]


async def test_kill_9_under_load_loses_no_record_of_an_answered_call(tmp_path):
    answered = []
    for number in range(ROUNDS):
        answered.extend(killed_under_load(tmp_path, number))
    async with opened(tmp_path, clock=SystemClock()):
        pass
    recorded = calls(tmp_path)
    assert len(set(answered)) == len(answered) >= ROUNDS * ANSWERED_MIN
    assert set(answered) <= set(recorded)
    assert len(set(recorded)) == len(recorded)
    assert verdict(tmp_path).broken is None
    assert len(remarks(tmp_path, OPENED)) == ROUNDS + 1
