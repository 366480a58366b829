"""``fly-gha`` at a terminal of 80 columns, as a person sees it."""

import contextlib
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from cli_world import ROOT, environment

COLUMNS, LINES = 80, 40
PATIENCE_S = 40.0


class Terminal:
    """One process at a terminal of its own; everything it shows is kept."""

    def __init__(self, arguments: tuple[str, ...], env: Mapping[str, str], cwd: Path = ROOT) -> None:
        self._master, slave = pty.openpty()
        size = {"COLUMNS": str(COLUMNS), "LINES": str(LINES)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "runners.cli", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment({"PYTHONPATH": str(ROOT), **size, **env}),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""

    def until(self, word: str) -> str:
        """All it has shown, once that has ``word`` in it."""
        deadline = time.monotonic() + PATIENCE_S
        while word not in self.shown:
            assert time.monotonic() < deadline, f"{word!r} was not shown:\n{self.shown}"
            if not self._read(0.2):
                raise AssertionError(f"it ended without showing {word!r}:\n{self.shown}")
        return self.shown

    def forget(self) -> None:
        """Look at what comes from now on only."""
        self.shown = ""

    def ended(self, number: int | None = None) -> int:
        """Its exit code, after a signal if one is given."""
        if number is not None:
            os.killpg(self.process.pid, number)
        while self._read(PATIENCE_S):
            pass
        return self.process.wait(timeout=PATIENCE_S)

    def close(self) -> None:
        """End it, whatever it does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._master)

    def _read(self, wait: float) -> bool:
        """Read what there is; False once the terminal is closed at the other end."""
        if not select.select([self._master], [], [], wait)[0]:
            return True
        try:
            data = os.read(self._master, 65_536)
        except OSError:
            return False
        self.shown += data.decode(errors="replace").replace("\r\n", "\n")
        return bool(data)


@contextlib.contextmanager
def terminal(*arguments: str, env: Mapping[str, str]) -> Iterator[Terminal]:
    """A verb that goes on; it ends with the context."""
    opened = Terminal(arguments, env)
    try:
        yield opened
    finally:
        opened.close()


def seen(*arguments: str, env: Mapping[str, str]) -> tuple[str, int]:
    """What a verb shows until it ends, and its exit code."""
    with terminal(*arguments, env=env) as opened:
        code = opened.ended()
        assert "Traceback" not in opened.shown, opened.shown
        return opened.shown, code
