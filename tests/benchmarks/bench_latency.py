"""How long this fleet makes a job wait before Fly is asked: signed webhook accepted -> launch call out.

A real dispatcher process on SQLite and the real simulators; Machines run an idle process, so that nothing but
the dispatcher's own work is measured. Run it on an idle machine: ``make bench``.
"""

import asyncio
import contextlib
import json
from pathlib import Path

import pytest

from runners.cli.demo.place import prepare
from runners.cli.demo.processes import Processes
from runners.cli.demo.reader import make_reader
from runners.cli.demo.script import MEDIUM, JobScript, RunScript
from runners.cli.demo.summary import added_latencies, spread
from runners.cli.demo.worlds import Worlds

SCALE = 40.0
PATIENCE_S = 30.0


def roomy(place) -> None:
    """Caps and limits out of the way, and Machines that do nothing."""
    world = json.loads(place.world.read_text())
    world["fly"]["agent"] = str(Path(__file__).parent / "idle_agent.py")
    place.world.write_text(json.dumps(world))
    text = place.fleet.read_text()
    for line in ("max_machines = 14", "max_machines = 10"):
        text = text.replace(line, "max_machines = 400")
    # Nothing ever claims here; these Machines must not be replaced while they are counted.
    lines = [
        "boot_deadline = 600" if line.startswith("boot_deadline") else line for line in text.splitlines()
    ]
    place.fleet.write_text("\n".join(lines))


@pytest.mark.parametrize("burst", [1, 10, 24])
async def test_added_latency_of_a_burst(tmp_path: Path, burst: int) -> None:
    place = prepare(tmp_path / "d", seed=1, scale=SCALE)
    roomy(place)
    async with Processes(place) as processes:
        await processes.start_simulators()
        reader = await make_reader(place)
        await processes.publish_tokens()
        await processes.start_dispatcher()
        worlds = Worlds(processes.urls)
        rounds = max(1, 20 // burst)
        async with contextlib.aclosing(_Closing(worlds, reader)):
            for number in range(rounds):
                jobs = tuple(JobScript(f"{number}-{index}", MEDIUM, (("s", 1.0),)) for index in range(burst))
                await worlds.queue(RunScript("acme/web", "Bench", "main", "push", 0.0, jobs), SCALE)
                await _launched(place.folder / "fleet.db", (number + 1) * burst)
        figures = spread(added_latencies(place.folder / "fleet.db"))
    print(  # noqa: T201 - a benchmark's output is its point
        f"\nwebhook -> launch, {burst} at once, {figures.samples} launches: "
        f"p50 {figures.p50 * 1000:.0f} ms, p95 {figures.p95 * 1000:.0f} ms, p99 {figures.p99 * 1000:.0f} ms"
    )
    assert figures.samples == rounds * burst


async def _launched(database: Path, count: int) -> None:
    ends = asyncio.get_running_loop().time() + PATIENCE_S
    while len(added_latencies(database)) < count:
        assert asyncio.get_running_loop().time() < ends, (
            f"{len(added_latencies(database))} of {count} launched"
        )
        await asyncio.sleep(0.1)


class _Closing:
    def __init__(self, *clients) -> None:
        self._clients = clients

    async def aclose(self) -> None:
        for client in self._clients:
            await client.close()
