"""Follow: one job, narrated phase by phase as the dispatcher sees it, with what each phase is about."""

import asyncio
from collections.abc import Callable

from runners.cli.demo.processes import DemoBroken, Processes
from runners.cli.demo.reader import Reader

LOOK_S = 0.05
DEADLINE_S = 30.0

STORY = {
    "accepted": "signed webhook checked, stored, answered 202",
    "requested": "intent committed; create and mint go out together",
    "started": "Fly started the Machine",
    "claimed": "its boot agent proved who it is: registration out",
    "online": "the runner listens at GitHub",
    "in_progress": "GitHub gave it the job",
    "completed": "the job is done, the runner exits",
    "gone": "Machine destroyed, registration gone",
}


async def follow(reader: Reader, job_id: int, processes: Processes, say: Callable[[str], None]) -> None:
    """Narrate one job until its Machine and its registration are gone.

    Raises:
        DemoBroken: it did not get there in time, or a process ended.
    """
    told: set[str] = set()
    try:
        async with asyncio.timeout(DEADLINE_S):
            await _follow(reader, job_id, processes, say, told)
    except TimeoutError:
        missing = ", ".join(name for name in STORY if name not in told)
        raise DemoBroken(f"after {DEADLINE_S:g} s the job has not reached: {missing}") from None


async def _follow(
    reader: Reader, job_id: int, processes: Processes, say: Callable[[str], None], told: set[str]
) -> None:
    while "gone" not in told:
        processes.check()
        for phase in (await reader.job(job_id))["phases"]:
            if phase["at"] is None or phase["name"] in told:
                continue
            told.add(phase["name"])
            took = "" if phase["seconds"] is None else f"+{phase['seconds']:.2f} s"
            say(f"  {phase['name']:<12} {took:>9}  {STORY[phase['name']]}")
        await asyncio.sleep(LOOK_S)
