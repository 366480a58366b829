"""Watch: the burst as it happens: a rich table and bar in a terminal, plain lines elsewhere."""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

PLAIN_EVERY_S = 2.0
WHYS_SHOWN = 4
LOST_STORY = "GitHub says so when the job's lock expires"
_COMING = ("requested", "launching", "booting", "claimed")


class Watch:
    """Shows progress towards so many jobs; ``update`` is called with each reading of the dispatcher."""

    def __init__(self, console: Console, total: int) -> None:
        self._console = console
        self._total = total
        self._progress = Progress(
            TextColumn("jobs done"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), console=console
        )
        self._task = self._progress.add_task("jobs", total=total)
        self._live: Live | None = None
        self._last_plain = -PLAIN_EVERY_S

    @contextmanager
    def shown(self) -> Iterator["Watch"]:
        """Show while the context is open; the last state stays on the screen."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, refresh_per_second=8) as self._live:
            yield self

    def update(self, status: Mapping[str, Any], jobs: list[dict[str, Any]], seconds: float) -> None:
        """Take one reading: the fleet's status and every job of the burst."""
        states = Counter(job["state"] for job in jobs)
        self._progress.update(self._task, completed=states["completed"])
        if self._live is not None:
            self._live.update(Group(self._progress, _table(status, jobs), _whys(jobs)))
        elif seconds - self._last_plain >= PLAIN_EVERY_S:
            self._last_plain = seconds
            self._console.print(_line(status, states, jobs, seconds, self._total), markup=False)


def _table(status: Mapping[str, Any], jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("pool", "queued", "booting", "idle", "running", "ending", "Machines", "done"):
        table.add_column(name, justify="left" if name == "pool" else "right")
    for pool in status["pools"]:
        of_pool = Counter(job["state"] for job in jobs if job["pool"] == pool["name"])
        runners = pool["runners"]
        table.add_row(
            pool["name"],
            str(of_pool["queued"]),
            str(sum(runners.get(state, 0) for state in _COMING)),
            str(runners.get("idle", 0)),
            str(runners.get("busy", 0)),
            str(runners.get("retiring", 0)),
            f"{pool['live_machines']}/{pool['max_machines']}",
            str(of_pool["completed"]),
        )
    return table


def _whys(jobs: list[dict[str, Any]]) -> Table:
    """Why anything waits: the most common reasons of the queued jobs, one wording each."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for (reason, text), count in _reasons(jobs).most_common(WHYS_SHOWN):
        table.add_row(f"{count:>3} wait", reason, text)
    for reason, count in _lost(jobs).items():
        table.add_row(f"{count:>3} lost", reason, LOST_STORY)
    return table


def _lost(jobs: list[dict[str, Any]]) -> Counter[str]:
    return Counter(job["lost"] for job in jobs if job["lost"] and job["state"] == "in_progress")


def _reasons(jobs: list[dict[str, Any]]) -> Counter[tuple[str, str]]:
    return Counter(
        (job["why"]["reason"], _first_words(job["why"]["text"]))
        for job in jobs
        if job["state"] == "queued" and job["why"]
    )


def _first_words(text: str) -> str:
    _, _, detail = text.partition(": ")
    return "a runner is on its way" if detail.startswith(("runner ", "a Machine")) else detail[:60]


def _line(
    status: Mapping[str, Any],
    states: Counter[str],
    jobs: list[dict[str, Any]],
    seconds: float,
    total: int,
) -> str:
    machines = sum(pool["live_machines"] for pool in status["pools"])
    why = _reasons(jobs).most_common(1)
    waits = f"; {why[0][1]} wait: {why[0][0][0]}" if why else ""
    waits += "".join(f"; {count} lost: {reason}" for reason, count in _lost(jobs).items())
    return (
        f"{seconds:5.1f} s  {states['queued']} queued, {states['in_progress']} running, "
        f"{states['completed']} of {total} done, {machines} Machines{waits}"
    )
