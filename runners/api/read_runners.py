"""GET /v1/runners and /v1/runners/{name}: who is there, and one runner's whole life with its Machine's."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import Connection

from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.job_views import timeline
from runners.api.lookups import (
    BATCH,
    LIMIT_DEFAULT,
    SCANNED_MAX,
    Limit,
    Question,
    ShortText,
    cursor_unknown,
    not_found,
)
from runners.api.runner_views import boot_view, event_view, machine_view, runner_view
from runners.api.sight import Look
from runners.model.nouns import Event, Runner
from runners.model.states import RunnerState
from runners.store import events, jobs, last_lines, machines, runners
from runners.wire.runner import RunnerHistory, RunnerPage
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])
# A life has about ten events; a Machine that was started over and over may have more.
EVENTS_MAX = 200
# Whoever misspells a name has mostly one of the latest in mind.
NEAR_AMONG = 200
_LIVE = tuple(state for state in RunnerState if state is not RunnerState.GONE)


class RunnerQuestion(Question):
    """Which runners; without ``state`` those that are not gone.

    Attributes:
        cursor: the name of the runner to go on after: ``next_cursor``, or any row's own.
    """

    state: tuple[RunnerState, ...] = ()
    pool: ShortText | None = None
    cursor: ShortText | None = None
    limit: Limit = LIMIT_DEFAULT


@router.get("/runners")
async def runner_page(
    fleet: Fleet, viewer: MayRead, question: Annotated[RunnerQuestion, Query()]
) -> RunnerPage:
    """Runners, the latest requested first."""
    names = {pool.name for pool in viewer.sight.pools_of(fleet.settings)}
    if question.pool is not None and question.pool not in names:
        raise not_found("pool", names, question.pool)
    wanted = None if viewer.sight.everything else names
    if question.pool is not None:
        wanted = {question.pool}
    now = fleet.clock.now()

    def op(conn: Connection) -> RunnerPage:
        revision = events.revision(conn)
        look = Look(conn, viewer.sight, fleet.settings)
        if question.cursor is not None and runners.get(conn, question.cursor) is None:
            raise cursor_unknown("runner")
        found, cursor = _page(conn, look, question, wanted)
        total = None
        if not viewer.sight.by_repository:
            total = runners.count(conn, state=question.state or _LIVE, pool=wanted)
        return RunnerPage(
            revision=revision,
            as_of=rfc3339(now),
            runners=tuple(runner_view(each) for each in found),
            next_cursor=cursor,
            total=total,
        )

    return await fleet.store.run(op)


@router.get("/runners/{name}")
async def runner_history(fleet: Fleet, viewer: MayRead, name: ShortText) -> RunnerHistory:
    """One runner: its phases, its Machine and boot, how it ended, and the events of both."""
    now = fleet.clock.now()

    def op(conn: Connection) -> RunnerHistory | set[str]:
        look = Look(conn, viewer.sight, fleet.settings)
        runner = runners.get(conn, name)
        if runner is None or not look.runner(runner):
            recent = runners.page(conn, state=tuple(RunnerState), limit=NEAR_AMONG)
            return {each.name for each in look.runners((*runners.live(conn), *recent))}
        machine = machines.get(conn, runner.machine_name)
        boots = machines.boots(conn, runner.machine_name)
        boot = next((each for each in boots if each.seq == runner.boot_seq), None)
        job = None if runner.job_id is None else jobs.get(conn, runner.job_id)
        return RunnerHistory(
            revision=events.revision(conn),
            as_of=rfc3339(now),
            runner=runner_view(runner),
            phases=timeline(job, runner, boot),
            machine=None if machine is None else machine_view(machine),
            boot=None if boot is None else boot_view(boot),
            exit_reason=None if boot is None else boot.exit_reason,
            events=tuple(event_view(each) for each in _events_of(conn, runner)),
            last_lines=last_lines.of(conn, runner.name),
        )

    answer = await fleet.store.run(op)
    if isinstance(answer, set):
        raise not_found("runner", answer, name)
    return answer


def _page(
    conn: Connection, look: Look, question: RunnerQuestion, wanted: set[str] | None
) -> tuple[tuple[Runner, ...], str | None]:
    after = question.cursor
    found: list[Runner] = []
    for _ in range(SCANNED_MAX // BATCH):
        batch = runners.page(conn, state=question.state or _LIVE, pool=wanted, after=after, limit=BATCH)
        seen = {each.name for each in look.runners(batch)}
        for runner in batch:
            after = runner.name
            if after in seen:
                found.append(runner)
                if len(found) == question.limit:
                    return tuple(found), after
        if len(batch) < BATCH:
            return tuple(found), None
    return tuple(found), after


def _events_of(conn: Connection, runner: Runner) -> tuple[Event, ...]:
    """The runner's and its Machine's, oldest first; of very many the latest."""
    targets = (f"runner/{runner.name}", f"machine/{runner.machine_name}")
    found = [
        event
        for target in targets
        for event in events.page(conn, target=target, newest_first=True, limit=EVENTS_MAX)
    ]
    return tuple(sorted(found, key=lambda event: event.seq))
