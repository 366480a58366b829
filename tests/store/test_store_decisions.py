"""What an operation decided on stays true until it has acted, however many dispatchers write at once."""

import asyncio
import itertools

from runners.api.intake import Intake
from runners.github.payload import JobFact
from runners.model.settings import FlySettings, PoolSettings, Settings
from runners.model.states import JobState
from runners.store import jobs
from tests.planning.builders import IMAGE

SETTINGS = Settings(
    fly=FlySettings(image=IMAGE),
    pools=(PoolSettings(name="gha-small", scope="orgs/acme", apps=("app-a",)),),
)
ORDERS = tuple(itertools.permutations((JobState.QUEUED, JobState.IN_PROGRESS, JobState.COMPLETED)))


class StillClock:
    def now(self):
        return 1_790_000_000.0


def a_fact(number, status):
    return JobFact(
        id=number, run_id=1, run_attempt=1, status=status, action=str(status),
        conclusion="success" if status is JobState.COMPLETED else None, labels=("fly-gha-small",),
        name="build", workflow_name="ci", repository="acme/web", private=True, installation_id=None,
        head_branch="main", html_url="", created_at=None, started_at=None, completed_at=None,
        runner_name=None, runner_id=None,
    )  # fmt: skip


async def test_of_several_facts_about_one_new_job_at_once_none_is_lost(shared_place):
    """An insert that met the other's row did nothing, and its delivery counted as taken."""
    intakes = [Intake(shared_place.open(), StillClock(), SETTINGS, lambda: None) for _ in range(3)]
    for number, order in enumerate(ORDERS * 3, start=1):
        await asyncio.gather(
            *(
                intake.handle_reading(a_fact(number, status), 1.0)
                for intake, status in zip(intakes, order, strict=True)
            )
        )
    found = await shared_place.opened[0].run(jobs.live)
    assert found == ()
