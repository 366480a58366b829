"""What `config.sh` and `run.sh` add to the listener: a check for root, and exit codes that say nothing.

As in actions/runner 2.336: the helper maps 0, 1 and 5 to 0, 2 to a restart, 3 and 4 to a restart after an
update, and 7 to 7 only when asked; run.sh itself then ends with 0 unless it traps signals.
"""

import os
import signal
import subprocess
import time
from pathlib import Path
from types import FrameType

from .codes import RETRYABLE, RUN_ONCE_UPDATING, UPDATING, VERSION_DEPRECATED
from .terminal import say

RESTART_PAUSE = 5.0


def configure(root: str, argv: list[str]) -> int:
    """Become the listener's `configure` (or `remove`)."""
    if _is_forbidden_root():
        say("Must not run with sudo")
        return 1
    from .main import main  # noqa: PLC0415 - `run` must not pay for it

    return main(root, argv if argv[:1] == ["remove"] else ["configure", *argv])


def run(root: str, argv: list[str]) -> int:
    """Run the listener, again if it asks for it."""
    trapping = bool(os.environ.get("RUNNER_MANUALLY_TRAP_SIG"))
    while True:
        code = _helper(root, argv, trapping=trapping)
        if code == RETRYABLE:
            say("Restarting runner...")
            continue
        say("Exiting runner...")
        return code if trapping else 0


def _helper(root: str, argv: list[str], *, trapping: bool) -> int:
    if _is_forbidden_root():
        say("Must not run interactively with sudo")
        return 1
    command = [str(Path(root) / "bin" / "Runner.Listener"), "run", *argv]
    with subprocess.Popen(command, process_group=0 if trapping else None) as child:  # noqa: S603 - our own listener
        if trapping:

            def pass_on(_number: int, _frame: FrameType | None) -> None:
                os.killpg(child.pid, signal.SIGINT)

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, pass_on)
        code = child.wait()
    if code in {RETRYABLE, UPDATING, RUN_ONCE_UPDATING}:
        time.sleep(RESTART_PAUSE)
        return RETRYABLE
    deprecated = os.environ.get("ACTIONS_RUNNER_RETURN_VERSION_DEPRECATED_EXIT_CODE") == "1"
    return code if code == VERSION_DEPRECATED and deprecated else 0


def _is_forbidden_root() -> bool:
    return os.geteuid() == 0 and not os.environ.get("RUNNER_ALLOW_RUNASROOT")
