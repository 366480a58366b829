"""Follow: one job, narrated phase by phase as the dispatcher sees it, with what each phase is about."""

import asyncio
from collections.abc import Callable

from runners.cli.demo.processes import Processes
from runners.cli.demo.reader import Reader

LOOK_S = 0.05
DEADLINE_S = 30.0

STORY = {
    "accepted": "GitHub's signed webhook was checked, stored and answered with 202",
    "requested": "rows, names and budget committed; create and mint go out in parallel",
    "started": "Fly says the Machine has started",
    "claimed": "the boot agent proved who it is and was handed its registration, once",
    "online": "the runner listens at GitHub",
    "in_progress": "GitHub gave it the job",
    "completed": "the job has finished; the runner exits and GitHub drops its registration",
    "gone": "the Machine is destroyed and nothing is left",
}


async def follow(reader: Reader, job_id: int, processes: Processes, say: Callable[[str], None]) -> None:
    """Narrate one job until its Machine and its registration are gone.

    Raises:
        TimeoutError: it did not get there.
    """
    told: set[str] = set()
    async with asyncio.timeout(DEADLINE_S):
        while "gone" not in told:
            processes.check()
            for phase in (await reader.job(job_id))["phases"]:
                if phase["at"] is None or phase["name"] in told:
                    continue
                told.add(phase["name"])
                took = "" if phase["seconds"] is None else f"+{phase['seconds']:.2f} s"
                say(f"  {phase['name']:<12} {took:>9}  {STORY[phase['name']]}")
            await asyncio.sleep(LOOK_S)
