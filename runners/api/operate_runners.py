"""``POST /v1/runners/{name}/retire``: an operator wants one runner ended.

Without force the planner retires it as it retires any other: intent, then DELETE, and GitHub's 422 leaves a
busy one alone; so a job that comes in that moment keeps its runner. Force is the operator's explicit word
that a job may be lost: it is said in the answer and in the event, and it is the one way past a job's veto.
"""

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from runners.api.access import Accesses, Fleet, Operator
from runners.api.carrying_out import Act, Done, carry_out, no_if_match
from runners.api.lookups import ShortText, not_found
from runners.api.operate import PLANNER
from runners.api.operate_access import operable_pool
from runners.api.operate_bodies import RetireBody, read_body
from runners.api.problems import ApiProblem
from runners.api.sight import Look
from runners.model.nouns import Runner
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState
from runners.store import events, jobs, runners
from runners.wire.operate import RunnerControls, RunnerOperation
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["operate"])


@router.post("/runners/{name}/retire", response_model=RunnerOperation)
async def retire(
    fleet: Fleet, viewer: Operator, access: Accesses, request: Request, name: ShortText
) -> Response:
    """End one runner; a busy one only by force, and then its job is lost."""
    no_if_match(request)

    def find(conn: Connection) -> Runner | None:
        runner = runners.get(conn, name)
        return (
            runner if runner is not None and Look(conn, viewer.sight, fleet.settings).runner(runner) else None
        )

    def names(conn: Connection) -> set[str]:
        look = Look(conn, viewer.sight, fleet.settings)
        return {each.name for each in runners.live(conn) if look.runner(each)}

    seen = await fleet.store.run(find)
    if seen is None:
        raise not_found("runner", await fleet.store.run(names), name)
    if not viewer.sight.everything:
        await operable_pool(request, access, viewer, fleet.settings, seen.pool)
    body = await read_body(request, RetireBody)

    def do(act: Act) -> Done:
        runner = runners.get(act.conn, name)
        if runner is None:
            raise not_found("runner", names(act.conn), name)
        return _ask(act, runner, force=body.force)

    return await carry_out(request, fleet, viewer, body, do)


def _ask(act: Act, runner: Runner, *, force: bool) -> Done:
    job_id = _job_of(act, runner)
    wish = Reason.OPERATOR_FORCED if force else Reason.OPERATOR_RETIRED
    ending = runner.state is RunnerState.GONE or (
        # One that is ending and never had a registration has left its Machine to others: nothing to force.
        runner.state is RunnerState.RETIRING and not (force and runner.claimed_at is not None)
    )
    if ending or runner.end_asked is Reason.OPERATOR_FORCED:
        return Done(_answer(act, runner, runner.end_asked, job_id, (_already(runner),), changed=False))
    if not force and (runner.state is RunnerState.BUSY or job_id is not None):
        raise _busy(runner, job_id)
    if runner.end_asked is wish:
        return Done(_answer(act, runner, wish, job_id, (_already(runner),), changed=False))
    lost = "" if job_id is None else f", job {job_id} is lost"
    how = f"to be ended by force{lost}" if force else "to be ended"
    act.event("retire_asked", f"runner/{runner.name}", f"{runner.state} -> {how}", wish)
    runners.update(act.conn, runner.name, end_asked=wish)
    answer = _answer(act, runner, wish, job_id, _next(runner, job_id, force=force), changed=True)
    return Done(answer, wakes=(PLANNER,))


def _job_of(act: Act, runner: Runner) -> int | None:
    """The job that it runs, as far as GitHub has said so."""
    job = jobs.by_runner(act.conn, runner.name)
    if job is not None and job.state is JobState.IN_PROGRESS:
        return job.id
    return runner.job_id if runner.state is RunnerState.BUSY else None


def _answer(
    act: Act,
    runner: Runner,
    end_asked: Reason | None,
    job_id: int | None,
    told: tuple[str, ...],
    *,
    changed: bool,
) -> RunnerOperation:
    forced = end_asked is Reason.OPERATOR_FORCED
    return RunnerOperation(
        runner=runner.name,
        changed=changed,
        before=RunnerControls(state=runner.state, job_id=job_id, end_asked=runner.end_asked),
        after=RunnerControls(state=runner.state, job_id=job_id, end_asked=end_asked),
        loses_job=job_id if forced else None,
        revision=events.revision(act.conn),
        as_of=rfc3339(act.now),
        next=told,
    )


def _next(runner: Runner, job_id: int | None, *, force: bool) -> tuple[str, ...]:
    if force:
        lost = "a job that it gets in this moment is lost"
        if job_id is not None:
            lost = (
                f"job {job_id} is lost: GitHub shows it failed some minutes from now, when its lock expires"
            )
        elif runner.state is RunnerState.BUSY:
            lost = "the job that it runs, which GitHub has not named yet, is lost"
        return ("its Machine is destroyed now, whatever it runs", lost)
    if runner.state is RunnerState.CLAIMED:
        return ("it is coming online just now and is retired then, unless a job is quicker",)
    if runner.claimed_at is None:
        return ("it is ended with its Machine before it takes a job", "a queued job gets another runner")
    return (
        "GitHub is asked to remove it; a job that it gets in this moment keeps it, and it ends with that job",
        "then its Machine ends by itself within timing.retire_grace, or is destroyed",
    )


def _already(runner: Runner) -> str:
    if runner.state is RunnerState.GONE:
        return "it is gone already: nothing was changed"
    return "it is ending already: nothing was changed"


def _busy(runner: Runner, job_id: int | None) -> ApiProblem:
    job = "a job that GitHub has not named yet" if job_id is None else f"job {job_id}"
    return ApiProblem(
        409,
        Reason.BUSY,
        what="nothing was done: the runner is busy",
        why=f"it runs {job}, and ends by itself with it",
        attempted=f"retire runner {runner.name}",
        next_step="let it finish; or retire it by force, and the job is lost",
    )
