"""The queue sweep: the open runs of recently active repositories, read by REST.

It finds jobs whose webhook never became a delivery, and jobs of ours that ended unheard. Alone it can serve a
fleet without a public URL, slowly. It gives way to everything else: with half of an owner's hourly quota gone
it reads every other time, with nine tenths gone not at all.
"""

from runners.control.intake import ReadingIntake
from runners.control.world import World
from runners.github.payload import JobFact
from runners.model.nouns import Job
from runners.store import jobs

SLOW_BELOW = 0.5
STOP_BELOW = 0.1
WILDCARDS = frozenset("*?[")


async def queue_sweep_pass(world: World, intake: ReadingIntake) -> float | None:
    """Sweep every repository once; raises the first failure after all were tried."""
    now, memory = world.clock.now(), world.settings.timing.queue_sweep_memory
    recent = await world.store.run(lambda conn: jobs.recent_repositories(conn, now - memory))
    world.sweeps += 1
    failure: Exception | None = None
    # GitHub's names differ by more than case; the spelling of its own webhooks is the one our rows have.
    spelt = {name.lower(): name for name in (*sorted(_named(world)), *recent)}
    for repository in sorted(spelt.values()):
        if not _affordable(world.quota(repository.partition("/")[0]), world.sweeps):
            continue
        try:
            await _sweep(world, intake, repository)
        except Exception as error:  # noqa: BLE001 - one repository's failure must not hide the others
            failure = failure or error
    if failure is not None:
        raise failure
    return None


def _named(world: World) -> set[str]:
    """Repositories that the settings name, so that a first job is found even if every webhook is lost."""
    scopes = {pool.scope for pool in world.settings.pools if pool.scope.startswith("repos/")}
    listed = {name for name in world.settings.github.repositories if not WILDCARDS & set(name)}
    return {scope.removeprefix("repos/") for scope in scopes} | listed


def _affordable(quota: float | None, sweeps: int) -> bool:
    if quota is None or quota >= SLOW_BELOW:
        return True
    return quota >= STOP_BELOW and sweeps % 2 == 0


async def _sweep(world: World, intake: ReadingIntake, repository: str) -> None:
    seen: set[int] = set()
    async with world.pace():
        runs = await world.github.queued_runs(repository)
    for run in runs:
        read_at = world.clock.now()
        async with world.pace():
            facts = await world.github.jobs_of_run(repository, run.id, private=run.private)
        for fact in facts:
            seen.add(fact.id)
            await intake(fact, read_at)
    for job in await _unheard(world, repository, seen):
        read_at = world.clock.now()
        async with world.pace():
            # A job's own answer does not tell whether its repository is private; what we took it for stands.
            fact_or_none: JobFact | None = await world.github.job(repository, job.id, private=job.private)
        if fact_or_none is not None:
            await intake(fact_or_none, read_at)


async def _unheard(world: World, repository: str, seen: set[int]) -> list[Job]:
    """Jobs we hold as open that no open run shows: they ended, and nobody told us."""
    grace = world.settings.timing.queue_sweep_period
    live = await world.store.run(jobs.live)
    now = world.clock.now()
    return [
        job
        for job in live
        if job.repository == repository and job.id not in seen and now - job.accepted_at > grace
    ]
