"""When will this job start, and how sure: answered from the same Snapshot and Plan that decide it.

A job with supply on its way starts when that Runner, started at the pool's usual pace, takes it. A job held
until a known time starts one usual start after it. A job held by a cap starts when the n-th busy Runner of
the pool ends. What rests on nothing measured says so by its confidence, and what nobody can know has no time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from runners.model.reason import Reason, Why
from runners.model.snapshot import Pace, Snapshot
from runners.model.states import RunnerState
from runners.planning.explain import explain
from runners.planning.plan import Plan
from runners.planning.planner import tallies_of
from runners.planning.tally import Tally

Confidence = Literal["high", "medium", "low"]

# Seconds, before anything was measured: users of Fly report create to started in 3 to 5 (p95 15 to 40), and
# Depot reports about 4 for the runner's own start (blog "Reducing queue time with cached schemas").
UNMEASURED_START = (10.0, 60.0)
HIGH_SAMPLES = 20
MEDIUM_SAMPLES = 3
_CAPS = (Reason.POOL_AT_MAX, Reason.FLEET_AT_MAX)


@dataclass(frozen=True, slots=True)
class Forecast:
    """An expected start, in Unix seconds.

    Attributes:
        expected_start: the likely time, None when nobody can know (a drained pool, an approval).
        earliest: not before this.
        latest: nine times in ten before this.
        confidence: ``high`` rests on 20 or more recent jobs, ``medium`` on 3, ``low`` on less or on a cap.
        basis: how it was estimated, in words.
        position: place in the pool's queue, 1 is next; 0 for a job that is not in it.
    """

    expected_start: float | None
    earliest: float | None
    latest: float | None
    confidence: Confidence
    basis: str
    position: int


def forecast(snapshot: Snapshot, plan: Plan, whys: Mapping[int, Why] | None = None) -> Mapping[int, Forecast]:
    """By job id, the expected start of every queued or waiting job of the Snapshot.

    Args:
        snapshot: what the planner knew.
        plan: what it decided.
        whys: what ``explain`` says of the two, when the caller has it already.
    """
    whys = explain(snapshot, plan) if whys is None else whys
    found: dict[int, Forecast] = {}
    for books in tallies_of(snapshot):
        pace = snapshot.pace.get(books.pool.name, Pace())
        busy_since = _busy_since(snapshot, books)
        held_by_cap = 0
        for index, job in enumerate((*books.demand, *books.deferred)):
            why = whys[job.id]
            if index < min(len(books.supply), len(books.demand)):
                runner = books.supply[index]
                begun = snapshot.now if runner.state is RunnerState.IDLE else runner.requested_at
                found[job.id] = _from(
                    snapshot, pace, begun, index + 1, f"runner {runner.name} is {runner.state}"
                )
            elif why.reason in _CAPS:
                found[job.id] = _after_a_cap(snapshot, busy_since, pace, held_by_cap, index + 1)
                held_by_cap += 1
            else:
                found[job.id] = _from_why(snapshot, pace, why, index + 1)
    for job_id, why in whys.items():
        if job_id not in found:
            found[job_id] = Forecast(None, None, None, "low", str(why), 0)
    return found


def _from_why(snapshot: Snapshot, pace: Pace, why: Why, position: int) -> Forecast:
    if why.reason in (Reason.SUPPLY_ON_ITS_WAY, Reason.NOT_PLANNED_YET):
        return _from(snapshot, pace, snapshot.now, position, why.detail)
    if why.until is not None:
        return _from(snapshot, pace, why.until, position, f"held until then: {why}")
    return Forecast(None, None, None, "low", str(why), position)


def _from(snapshot: Snapshot, pace: Pace, begun: float, position: int, because: str) -> Forecast:
    """A start that began, or begins, at ``begun``; never forecast into the past."""
    p50 = UNMEASURED_START[0] if pace.start_p50 is None else pace.start_p50
    p90 = UNMEASURED_START[1] if pace.start_p90 is None else pace.start_p90
    earliest = max(snapshot.now, begun)
    basis = f"{because}; {_sample_words(pace)}"
    return Forecast(
        expected_start=max(earliest, begun + p50),
        earliest=earliest,
        latest=max(earliest, begun + p90),
        confidence=_confidence(pace.samples),
        basis=basis,
        position=position,
    )


def _busy_since(snapshot: Snapshot, books: Tally) -> tuple[float, ...]:
    """Since when each busy Runner of the pool has been so, the longest first."""
    return tuple(
        sorted(
            (runner.busy_at or runner.state_at)
            for runner in snapshot.runners
            if runner.pool == books.pool.name and runner.state is RunnerState.BUSY
        )
    )


def _after_a_cap(
    snapshot: Snapshot, busy_since: tuple[float, ...], pace: Pace, ahead: int, position: int
) -> Forecast:
    """The ``ahead``-th job over the cap starts when the ``ahead``-th busy Runner ends, plus one start."""
    if pace.job_p50 is None or not busy_since:
        basis = "the pool is at its cap and no job of it has been measured yet"
        return Forecast(None, None, None, "low", basis, position)
    rounds, slot = divmod(ahead, len(busy_since))
    free_at = max(snapshot.now, busy_since[slot] + pace.job_p50) + rounds * pace.job_p50
    estimate = _from(
        snapshot, pace, free_at, position, "at its cap; the running jobs end at the pool's median"
    )
    return Forecast(
        estimate.expected_start, snapshot.now, estimate.latest, "low", estimate.basis, estimate.position
    )


def _confidence(samples: int) -> Confidence:
    if samples >= HIGH_SAMPLES:
        return "high"
    return "medium" if samples >= MEDIUM_SAMPLES else "low"


def _sample_words(pace: Pace) -> str:
    if pace.samples == 0:
        return "nothing measured yet, Fly's documented figures are used"
    return f"pace of the last {pace.samples} jobs"
