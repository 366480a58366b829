"""Ends a Machine's processes for certain, also when the simulator itself is killed.

A Machine that ends takes everything in it along. A process group catches what the agent started; a child that
made its own session is found by the Machine's directory in its environment or as its working directory (on
Linux, through /proc). Run as a program, this file is the simulator's last will: it holds the read end of a
pipe and, when the simulator is gone for whatever reason, ends every group that was still entered and removes
the simulator's directory. Standard library only, since it runs by path.
"""

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

PROC = Path("/proc")
# A process that forks while it is being looked for is caught in the next look.
LOOKS = 5


def signal_tree(group: int, directory: Path, signum: int) -> int:
    """Signal a process group and every stray that belongs to the directory; returns how many strays."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signum)
    found = strays(directory)
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signum)
    return len(found)


def kill_tree(group: int, directory: Path) -> None:
    """Kill a process group and all strays of the directory, looking again until none is left."""
    for _ in range(LOOKS):
        if signal_tree(group, directory, signal.SIGKILL) == 0:
            return


def strays(directory: Path) -> list[int]:
    """Processes whose environment names the directory or that work in it; empty where there is no /proc."""
    if not PROC.is_dir():
        return []
    mark = os.fsencode(directory)
    return [
        int(entry)
        for entry in os.listdir(PROC)  # noqa: PTH208 - names are all that is needed, and this is quick
        if entry.isdigit() and int(entry) != os.getpid() and _belongs(PROC / entry, mark)
    ]


def _belongs(process: Path, mark: bytes) -> bool:
    try:
        state, _, _, _, terminal = (process / "stat").read_bytes().rpartition(b")")[2].split()[:5]
        # A zombie is dead already; a process with a terminal is a person looking around in the directory.
        if state == b"Z" or terminal != b"0":
            return False
        if mark in (process / "environ").read_bytes():
            return True
        return os.fsencode((process / "cwd").readlink()).startswith(mark)
    except OSError:
        return False


def _watch(directory: Path) -> None:
    groups: set[int] = set()
    for line in sys.stdin:
        sign, _, number = line.strip().partition(" ")
        (groups.add if sign == "+" else groups.discard)(int(number))
    for group in groups:
        signal_tree(group, directory, signal.SIGKILL)
    for _ in range(LOOKS):
        if not [pid for pid in strays(directory) if _killed(pid)]:
            break
    shutil.rmtree(directory, ignore_errors=True)


def _killed(pid: int) -> bool:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
        return True
    return False


if __name__ == "__main__":
    for stop in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop, signal.SIG_IGN)
    _watch(Path(sys.argv[1]))
