"""A dispatcher that kills itself: the product's own ``run_dispatcher`` with a deadly ``reached``.

At the N-th time the named point is reached it writes a mark file, syncs it, and ends its own process with
SIGKILL, so nothing is closed, flushed or said. The mark is how a test knows that the point was hit.

    python dying_dispatcher.py --config fleet.toml --at mint.answered --only gha-small --times 2 --mark FILE
"""

import argparse
import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import Engine, event

from runners.cli.logs import configure_logs
from runners.cli.serve import run_dispatcher
from runners.fleet_file import load_settings

ANY = "any"
COMMIT = "store.commit"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--at", required=True, help=f"a named point, {ANY} or {COMMIT}")
    parser.add_argument("--only", default="", help="count a step only in a task whose name has this in it")
    parser.add_argument("--times", type=int, required=True)
    parser.add_argument("--mark", type=Path, required=True)
    parser.add_argument("--delay-us", type=int, default=0, help=f"for {COMMIT}: how far into the commit")
    chosen = parser.parse_args()
    configure_logs()
    if chosen.at == COMMIT:
        die_in_commit(chosen.mark, chosen.times, chosen.delay_us)
        reached: Callable[[str], None] = _nothing
    else:
        reached = deadly(chosen.mark, chosen.at, chosen.times, chosen.only)
    asyncio.run(run_dispatcher(load_settings(chosen.config), os.environ, reached=reached))


def deadly(mark: Path, point: str, times: int, only: str) -> Callable[[str], None]:
    """A ``reached`` that ends the process at the point."""
    count = 0

    def reached(step: str) -> None:
        nonlocal count
        task = asyncio.current_task()
        if point not in (ANY, step) or only not in ("" if task is None else task.get_name()):
            return
        count += 1
        if count == times:
            write_mark(mark, step, count)
            os.kill(os.getpid(), signal.SIGKILL)

    return reached


def die_in_commit(mark: Path, times: int, delay_us: int) -> None:
    """End the process while the N-th commit is under way: another thread kills it so much later."""
    count = 0

    def committing(_conn: object) -> None:
        nonlocal count
        count += 1
        if count == times:
            write_mark(mark, COMMIT, count)
            threading.Thread(target=_kill_after, args=(delay_us / 1e6,), daemon=True).start()

    event.listen(Engine, "commit", committing)


def write_mark(mark: Path, step: str, count: int) -> None:
    """Say what was hit, so that it outlives this process."""
    descriptor = os.open(mark, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(descriptor, json.dumps({"point": step, "times": count, "pid": os.getpid()}).encode())
    os.fsync(descriptor)


def _kill_after(seconds: float) -> None:
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        pass
    os.kill(os.getpid(), signal.SIGKILL)


def _nothing(_step: str) -> None:
    return


if __name__ == "__main__":
    main()
