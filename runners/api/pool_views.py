"""PoolView from rows, settings, overrides and the planner's latest pass."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from runners.api.port import PlanView
from runners.api.reading import Reading
from runners.api.sight import Sight
from runners.model.nouns import Job, Machine, Runner
from runners.model.reason import Reason
from runners.model.settings import PoolSettings, Settings
from runners.model.snapshot import Pool
from runners.model.states import JobState, MachineState, RunnerState
from runners.planning.plan import Held
from runners.planning.spares import stale
from runners.store.pools import PoolOverride
from runners.wire.pool import Budget, PoolView, QueueSummary, Spares
from runners.wire.times import maybe_rfc3339
from runners.wire.why import HeldView


@dataclass(frozen=True, slots=True)
class Scene:
    """What one viewer sees of one Reading, before it is put in words.

    Attributes:
        jobs: those that may be seen.
        machines: those of visible pools.
        runners: those of visible pools, less those that run a job that may not be seen.
        pools: those that may be seen.
    """

    settings: Settings
    reading: Reading
    latest: PlanView | None
    jobs: tuple[Job, ...]
    machines: tuple[Machine, ...]
    runners: tuple[Runner, ...]
    pools: tuple[PoolSettings, ...]


def scene(settings: Settings, reading: Reading, latest: PlanView | None, sight: Sight) -> Scene:
    """What ``sight`` sees of a Reading."""
    pools = sight.pools_of(settings)
    names = {pool.name for pool in pools}
    seen = sight.jobs(reading.jobs)
    hidden = {job.id for job in reading.jobs} - {job.id for job in seen}
    return Scene(
        settings=settings,
        reading=reading,
        latest=latest,
        jobs=seen,
        machines=tuple(each for each in reading.machines if sight.everything or each.pool in names),
        runners=tuple(
            each
            for each in reading.runners
            if sight.everything or (each.pool in names and each.job_id not in hidden)
        ),
        pools=pools,
    )


def pool_views(view: Scene) -> tuple[PoolView, ...]:
    """Every pool of a Scene, in configuration order."""
    planned = {} if view.latest is None else {pool.name: pool for pool in view.latest.snapshot.pools}
    held = held_views(view)
    return tuple(_pool_view(view, pool, planned.get(pool.name), held) for pool in view.pools)


def held_views(view: Scene) -> tuple[HeldView, ...]:
    """What is held back, counted by pool and reason; what has moved on since the plan is left out."""
    if view.latest is None:
        return ()
    queued = {f"job/{job.id}" for job in view.jobs if job.state is JobState.QUEUED}
    names = {pool.name for pool in view.pools}
    groups: dict[tuple[str, str], list[Held]] = {}
    for entry in view.latest.plan.held:
        if entry.pool in names and (entry.target in queued or not entry.target.startswith("job/")):
            groups.setdefault((entry.pool, str(entry.why.reason)), []).append(entry)
    return tuple(
        HeldView(reason=reason, pool=pool, count=len(group), text=str(group[0].why), until=_until(group))
        for (pool, reason), group in sorted(groups.items())
    )


def queue_summary(found: Iterable[Job]) -> QueueSummary:
    """Jobs counted by state, and how long the oldest queued one has been."""
    jobs = tuple(found)
    states = Counter(job.state for job in jobs)
    queued_at = [job.queued_at or job.accepted_at for job in jobs if job.state is JobState.QUEUED]
    return QueueSummary(
        waiting=states[JobState.WAITING],
        queued=states[JobState.QUEUED],
        in_progress=states[JobState.IN_PROGRESS],
        oldest_queued_at=maybe_rfc3339(min(queued_at, default=None)),
    )


def counts(
    rows: Sequence[Machine] | Sequence[Runner], states: type[MachineState] | type[RunnerState]
) -> dict[str, int]:
    """Rows by state, every live state present."""
    found = Counter(str(row.state) for row in rows)
    return {str(state): found[str(state)] for state in states if state != "gone"}


def money(daily: float | None, spent: float) -> Budget:
    """A day's budget and what is left of it, to the hundredth of a cent."""
    left = None if daily is None else round(max(0.0, daily - spent), 4)
    return Budget(daily_usd=daily, spent_today_usd=round(spent, 4), left_usd=left)


def _pool_view(view: Scene, pool: PoolSettings, planned: Pool | None, held: tuple[HeldView, ...]) -> PoolView:
    override = view.reading.overrides.get(pool.name, PoolOverride())
    said = {name: value for name, value in _fields(override).items() if value is not None}
    now: Mapping[str, int] = {
        name: int(said.get(name, getattr(pool, name))) for name in ("max_machines", "ready", "stopped")
    }
    machines = [each for each in view.machines if each.pool == pool.name]
    ready = _ready_spares(view, machines)
    stopped = [each for each in machines if each.state is MachineState.STOPPED]
    runners = [each for each in view.runners if each.pool == pool.name]
    return PoolView(
        name=pool.name,
        labels=pool.served_labels,
        scope=pool.scope,
        machine_class=pool.class_name,
        registration=pool.registration,
        apps=pool.apps,
        regions=pool.regions,
        allow_public=pool.allow_public,
        fallback=pool.fallback,
        drained=bool(said.get("drained", pool.drained)),
        overrides=tuple(sorted(said)),
        max_machines=now["max_machines"],
        live_machines=len(machines),
        room=max(0, now["max_machines"] - len(machines)),
        machines=counts(machines, MachineState),
        runners=counts(runners, RunnerState),
        spares=Spares(
            stopped_wanted=now["stopped"],
            stopped=len(stopped),
            ready_wanted=now["ready"],
            ready=len(ready),
            outdated=_outdated(view, planned, [*ready, *stopped]),
        ),
        queue=queue_summary(job for job in view.jobs if job.pool == pool.name),
        budget=money(pool.daily_budget_usd, 0.0 if planned is None else planned.spent_today_usd),
        usd_per_hour=0.0 if planned is None else planned.usd_per_hour,
        held=tuple(entry for entry in held if entry.pool == pool.name),
    )


def _ready_spares(view: Scene, machines: Sequence[Machine]) -> list[Machine]:
    """Ready Machines that no Runner is meant for yet. Every Runner counts here, seen or not."""
    meant = {each.machine_name for each in view.reading.runners if each.state is not RunnerState.RETIRING}
    return [each for each in machines if each.state is MachineState.READY and each.name not in meant]


def _outdated(view: Scene, planned: Pool | None, spares: Sequence[Machine]) -> int:
    """How many spares the latest plan's image and classes have left behind."""
    if view.latest is None or planned is None:
        return 0
    snapshot = view.latest.snapshot
    whys = (stale(snapshot, planned, spare) for spare in spares)
    return sum(why is not None and why.reason is Reason.SPARE_OUTDATED for why in whys)


def _fields(override: PoolOverride) -> dict[str, bool | int | None]:
    return {
        "drained": override.drained,
        "max_machines": override.max_machines,
        "ready": override.ready,
        "stopped": override.stopped,
    }


def _until(group: Sequence[Held]) -> str | None:
    return maybe_rfc3339(min((each.why.until for each in group if each.why.until is not None), default=None))
