"""Why each waiting or queued job has no runner yet: one Why per job, from the Snapshot and its Plan.

Supply is a count, so the n-th job in serving order is explained by the n-th Runner on its way.
"""

from collections.abc import Mapping

from runners.model.nouns import Job, Runner
from runners.model.reason import Reason, Why
from runners.model.snapshot import Snapshot
from runners.model.states import JobState, RunnerState
from runners.planning.plan import BindSpare, Launch, Plan, StartSpare
from runners.planning.planner import tallies_of
from runners.planning.tally import Tally


def explain(snapshot: Snapshot, plan: Plan) -> Mapping[int, Why]:
    """By job id, why it waits; every queued or waiting job of the Snapshot has an entry."""
    held = {entry.target: entry.why for entry in plan.held}
    asked = {
        action.job_id: action.why
        for action in plan.actions
        if isinstance(action, (Launch, StartSpare, BindSpare)) and action.job_id is not None
    }
    whys: dict[int, Why] = {}
    for books in tallies_of(snapshot):
        for position, job in enumerate(books.demand):
            whys[job.id] = _of_demand(books, position, job, held, asked)
        for job in books.deferred:
            detail = "GitHub did not give it to an idle runner (max-parallel?); supply is made again later"
            whys[job.id] = Why(Reason.NOT_DISPATCHED, detail, job.not_before)
    for job in snapshot.jobs:
        if job.id not in whys and job.state is not JobState.IN_PROGRESS:
            whys[job.id] = _of_other(job)
    return whys


def _of_demand(
    books: Tally, position: int, job: Job, held: Mapping[str, Why], asked: Mapping[int, Why]
) -> Why:
    answering = (*books.supply, *books.unnamed)
    if position < len(answering):
        return _of_supply(answering[position])
    if job.id in asked:
        return Why(Reason.SUPPLY_ON_ITS_WAY, "a Machine is being requested for it now")
    return held.get(f"job/{job.id}", Why(Reason.NOT_PLANNED_YET, "the next pass of the planner decides"))


def _of_supply(runner: Runner) -> Why:
    if runner.state is RunnerState.IDLE:
        return Why(Reason.RUNNER_IDLE, f"runner {runner.name} is online; GitHub has not assigned the job yet")
    if runner.state in (RunnerState.BUSY, RunnerState.RETIRING):
        detail = f"runner {runner.name} has taken a job, maybe this one: GitHub has not said yet"
        return Why(Reason.SUPPLY_ON_ITS_WAY, detail)
    return Why(Reason.SUPPLY_ON_ITS_WAY, f"runner {runner.name} is {runner.state}")


def _of_other(job: Job) -> Why:
    if job.state is JobState.WAITING:
        return Why(
            Reason.AWAITING_APPROVAL, "GitHub waits for an approval or a wait timer of its environment"
        )
    return Why(Reason.LABELS_UNKNOWN, "no pool of this fleet serves its labels now")
