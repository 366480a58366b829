"""The demo's spares: wait until they are there, and give them up when every job is done."""

import asyncio

from runners.cli.demo.options import Variant
from runners.cli.demo.processes import DemoBroken, Processes
from runners.cli.demo.reader import Reader

POOL = "gha-medium"
LOOK_S = 0.1
DEADLINE_S = 30.0


async def until_warm(reader: Reader, variant: Variant, processes: Processes) -> None:
    """Wait until the pool has the spares that it is to keep.

    Raises:
        DemoBroken: it had not in time, or a process ended.
    """
    there: dict[str, int] = {}
    try:
        async with asyncio.timeout(DEADLINE_S):
            while there.get("stopped", -1) < variant.stopped or there.get("ready", -1) < variant.ready:
                processes.check()
                there = (await reader.get(f"/v1/pools/{POOL}"))["spares"]
                await asyncio.sleep(LOOK_S)
    except TimeoutError:
        stopped, ready = there.get("stopped", 0), there.get("ready", 0)
        raise DemoBroken(
            f"after {DEADLINE_S:g} s {POOL} has {stopped} stopped and {ready} ready spares, "
            f"not {variant.stopped} and {variant.ready}"
        ) from None


async def end_spares(reader: Reader) -> None:
    """Want none any more, as an operator would say it; the planner ends those that are there."""
    await reader.scale(POOL, stopped=0, ready=0)
