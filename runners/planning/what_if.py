"""What if N more jobs were queued now: the planner's own answer, from its latest Snapshot and nothing else.

The jobs are added as the newest and planned, explained and forecast like real ones, so the answer is what the
next pass would do. Budgets that only pace calls (seconds, a minute) are no reason to say no. But they hide
what comes after them, so what a paced job would meet then is planned without them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import inf, nextafter

from runners.model.globs import example_of
from runners.model.nouns import Job
from runners.model.reason import Reason, Why
from runners.model.settings import PoolSettings, Settings
from runners.model.snapshot import Limits, Snapshot
from runners.model.states import JobState
from runners.planning.charge import charge, serves
from runners.planning.explain import explain
from runners.planning.forecast import Forecast, forecast
from runners.planning.plan import Plan
from runners.planning.planner import plan

SUPPLIED = frozenset({Reason.SUPPLY_ON_ITS_WAY, Reason.RUNNER_IDLE})
PACING = frozenset({Reason.FLY_CREATE_BUDGET, Reason.GITHUB_WRITE_BUDGET})
# The same words for a pool that is hidden and for one that is not there.
NO_POOL = "no pool's labels include all of these"
# More than any plan can spend.
_AMPLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Wish:
    """Jobs that somebody thinks of queueing.

    Attributes:
        labels: of each of them.
        count: how many, at least 1.
        repository: ``owner/name`` they would be queued in, None for any that the pool serves.
        pools: names of the pools that whoever asks may see; any other is as if it served nobody.
    """

    labels: tuple[str, ...]
    count: int
    repository: str | None
    pools: frozenset[str]


@dataclass(frozen=True, slots=True)
class Prospect:
    """What would become of them.

    Attributes:
        pool: the pool they would be charged to, None when no visible one serves them.
        startable: how many have supply now, or would have it once calls are no longer paced.
        why: why the first of the others would wait, None when there is none.
        first: when the first of them would start, None without a pool.
        last: when the last of them would.
    """

    pool: str | None
    startable: int = 0
    why: Why | None = None
    first: Forecast | None = None
    last: Forecast | None = None


def what_if(snapshot: Snapshot, settings: Settings, wish: Wish) -> Prospect:
    """What the next pass would do if these jobs were queued now."""
    repository = wish.repository or _any_repository(settings, wish)
    drained = frozenset(pool.name for pool in snapshot.pools if pool.drained)
    pool = None if repository is None else charge(wish.labels, repository, settings, drained)
    if repository is None or pool is None or pool not in wish.pools:
        return Prospect(None, why=_no_pool(settings, wish))
    imagined = _imagined(snapshot, wish, repository, pool)
    asked = replace(snapshot, jobs=(*snapshot.jobs, *imagined))
    paced = _outlook(asked)
    settled = paced
    if any(entry.why.reason in PACING for entry in paced.plan.held):
        settled = _outlook(replace(asked, limits=_without_pace(asked.limits)))
    blocked = [job.id for job in imagined if settled.whys[job.id].reason not in SUPPLIED]
    first, last = (
        (settled if job.id in blocked else paced).forecasts[job.id] for job in (imagined[0], imagined[-1])
    )
    why = settled.whys[blocked[0]] if blocked else None
    return Prospect(pool, len(imagined) - len(blocked), why, first, last)


@dataclass(frozen=True, slots=True)
class _Outlook:
    """One Snapshot with all that the planner says of it."""

    plan: Plan
    whys: Mapping[int, Why]
    forecasts: Mapping[int, Forecast]


def _outlook(snapshot: Snapshot) -> _Outlook:
    decided = plan(snapshot)
    whys = explain(snapshot, decided)
    return _Outlook(decided, whys, forecast(snapshot, decided, whys))


def _without_pace(limits: Limits) -> Limits:
    return replace(limits, creates={}, create_burst=_AMPLE, writes={}, writes_per_minute=_AMPLE)


def _any_repository(settings: Settings, wish: Wish) -> str | None:
    """One that the first visible pool with these labels serves; to that pool each is as good as another."""
    first = next((pool for pool in settings.pools if _visibly_serves(pool, wish)), None)
    if first is None:
        return None
    kind, _, place = first.scope.partition("/")
    if kind == "orgs" and first.repositories:
        return f"{place}/{example_of(first.repositories[0]).rpartition('/')[2]}"
    return place if kind == "repos" else f"{place}/any"


def _no_pool(settings: Settings, wish: Wish) -> Why:
    if wish.repository is not None and any(_visibly_serves(pool, wish) for pool in settings.pools):
        return Why(Reason.REPOSITORY_NOT_ALLOWED, "no pool with these labels serves this repository")
    return Why(Reason.LABELS_UNKNOWN, NO_POOL)


def _visibly_serves(pool: PoolSettings, wish: Wish) -> bool:
    return pool.name in wish.pools and serves(pool, wish.labels)


def _imagined(snapshot: Snapshot, wish: Wish, repository: str, pool: str) -> tuple[Job, ...]:
    """The jobs, first to be served first: later than every other one, and with ids that no real job has."""
    latest = max((job.queued_at or job.accepted_at for job in snapshot.jobs), default=0.0)
    at = nextafter(max(snapshot.now, latest), inf)
    return tuple(
        Job(
            id=number,
            run_id=number,
            run_attempt=1,
            name="",
            workflow_name="",
            repository=repository,
            installation_id=None,
            labels=wish.labels,
            head_branch="",
            html_url="",
            private=True,
            pool=pool,
            state=JobState.QUEUED,
            conclusion=None,
            created_at=at,
            accepted_at=at,
            queued_at=at,
        )
        for number in range(-wish.count, 0)
    )
