"""Summary: what the demo measured, per phase and for the latency the fleet adds; the ``--json`` document."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from runners.cli.demo.judge import Check
from runners.store.pace import percentile

PHASES = ("requested", "started", "claimed", "online", "in_progress", "completed", "gone")


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure's spread over its samples, in measured seconds (the demo's time, not scaled back)."""

    samples: int
    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class Summary:
    """The ``--json`` document.

    Attributes:
        seed: repeats script, faults and latencies.
        scale: latencies of the simulated world and durations of the fleet are 1/scale of real ones.
        seconds: how long the burst took, from its first webhook to a clean world.
        phases: by phase, seconds since the phase before it.
        added_latency: from a webhook's acceptance to the launch call, for jobs that nothing held back.
        held_back: jobs that waited for a cap, a budget or capacity and are not in added_latency.
        slowest_job: the id of the job that waited longest for its runner.
        slowest_wait: how long that was.
        checks: the verdict.
        ok: whether every check is.
    """

    seed: int
    scale: float
    seconds: float
    jobs: int
    phases: Mapping[str, Spread]
    added_latency: Spread
    held_back: int
    slowest_job: int | None
    slowest_wait: float | None
    checks: Sequence[Check]

    @property
    def ok(self) -> bool:
        """Whether the demo passed."""
        return all(check.ok for check in self.checks)

    def as_json(self) -> dict[str, Any]:
        """The document as written by ``--json``."""
        return {**asdict(self), "ok": self.ok}


def spread(values: Iterable[float]) -> Spread:
    """The spread of some samples."""
    listed = list(values)
    return Spread(len(listed), percentile(listed, 50), percentile(listed, 95), percentile(listed, 99))


def phase_spreads(jobs: Iterable[Mapping[str, Any]]) -> dict[str, Spread]:
    """By phase, the spread over all jobs that reached it."""
    samples: dict[str, list[float]] = {name: [] for name in PHASES}
    for job in jobs:
        for phase in job["phases"]:
            if phase["name"] in samples and phase["seconds"] is not None:
                samples[phase["name"]].append(phase["seconds"])
    return {name: spread(values) for name, values in samples.items()}


def slowest(jobs: Iterable[Mapping[str, Any]]) -> tuple[int | None, float | None]:
    """The job that waited longest from acceptance to in_progress, and how long."""
    waits = [(wait, job["id"]) for job in jobs if (wait := _wait(job)) is not None]
    return (max(waits)[1], max(waits)[0]) if waits else (None, None)


def added_latencies(database: Path) -> list[float]:
    """From acceptance to the launch call, of every request that nothing held back.

    This one figure is not in the read API, so it is read from the demo's own database.
    """
    query = (
        "SELECT launch_sent_at - demand_at FROM runners "
        "WHERE demand_at IS NOT NULL AND launch_sent_at IS NOT NULL ORDER BY name"
    )
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        return [row[0] for row in connection.execute(query)]


def _wait(job: Mapping[str, Any]) -> float | None:
    reached = {phase["name"]: phase["seconds"] for phase in job["phases"] if phase["at"] is not None}
    if "in_progress" not in reached:
        return None
    names = PHASES[: PHASES.index("in_progress") + 1]
    return sum(reached[name] or 0.0 for name in names if name in reached)
