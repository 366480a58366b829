"""Leash: becomes another program, which the kernel kills as soon as the demo is gone, however it went.

The demo ends its processes itself when it can; it cannot when it is killed with SIGKILL. The simulators watch
for that on their own, since Machines must be ended in order; the dispatcher and the publisher, which are the
product as it is, hang on this.

    python leash.py PARENT_PID PROGRAM [ARGUMENT ...]
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2), Linux: the signal to get when the parent ends; it outlives an exec."""


def main(parent_pid: int, command: list[str]) -> None:
    """Hang on to the parent and become the command."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    # The parent may have ended before the kernel was told to look at it.
    if os.getppid() != parent_pid:
        sys.exit("the demo is gone")
    os.execv(command[0], command)  # noqa: S606 - the demo's own command, no shell


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
