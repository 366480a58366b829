"""GET /v1/capacity: may I queue so many jobs now, and when would they start? It fails closed."""

from typing import Annotated, cast

from fastapi import APIRouter, Query, Request
from pydantic import Field

from runners.api.acceptance import why_not_listed
from runners.api.access import Fleet
from runners.api.access import Reader as MayRead
from runners.api.job_views import forecast_view, why_view
from runners.api.lookups import Question, ShortText
from runners.api.outlook import Outlook
from runners.api.port import FleetPort
from runners.api.sight import Sight
from runners.api.status_view import is_late
from runners.model.reason import Reason, Why
from runners.planning.what_if import NO_POOL, Prospect, Wish
from runners.store import events
from runners.wire.capacity import CapacityAnswer
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["read"])
COUNT_MAX = 200
LABELS_MAX = 20
PLANNER = "planner"


class CapacityQuestion(Question):
    """Which jobs.

    Attributes:
        label: every label of the jobs' ``runs-on``.
        count: how many jobs.
        repository: where they would be queued; without it, any repository that the pool serves.
    """

    label: Annotated[tuple[ShortText, ...], Field(min_length=1, max_length=LABELS_MAX)]
    count: Annotated[int, Field(ge=1, le=COUNT_MAX)] = 1
    repository: Annotated[str, Field(max_length=200, pattern=r"^[\w.-]+/[\w.-]+$")] | None = None


@router.get("/capacity")
async def capacity(
    fleet: Fleet, viewer: MayRead, question: Annotated[CapacityQuestion, Query()], request: Request
) -> CapacityAnswer:
    """Whether so many jobs with these labels would all get a runner now, and when they would start."""
    revision = await fleet.store.run(events.revision)
    latest, why = fleet.latest, _why_not(fleet, viewer.sight, question)
    if latest is None or why is not None:
        found = Prospect(None, why=why)
    else:
        outlook = cast(Outlook, request.app.state.outlook)
        found = await outlook.of(latest, _wish(fleet, viewer.sight, question))
    return CapacityAnswer(
        revision=revision,
        as_of=rfc3339(fleet.clock.now()),
        planned_at=None if latest is None else rfc3339(latest.snapshot.now),
        ok=found.why is None,
        pool=found.pool,
        asked=question.count,
        startable=found.startable,
        why=why_view(found.why),
        first_start=None if found.first is None else forecast_view(found.first),
        last_start=None if found.last is None else forecast_view(found.last),
    )


def _why_not(fleet: FleetPort, sight: Sight, question: CapacityQuestion) -> Why | None:
    """Why the answer is no without any planning; None when the plan can tell."""
    if fleet.latest is None:
        return Why(Reason.PLAN_STALE, "the planner has not planned yet")
    planner = next((each for each in fleet.loops() if each.name == PLANNER), None)
    if planner is None or is_late(planner, fleet.clock.now()):
        return Why(Reason.PLAN_STALE, "the planner's last pass is too long ago")
    if planner.last_error:
        return Why(Reason.PLAN_STALE, "the planner's last pass failed")
    if question.repository is None:
        return None
    if not sight.repository(question.repository):
        # The words for labels that no pool has: whether there is such a repository is not told.
        return Why(Reason.LABELS_UNKNOWN, NO_POOL)
    return why_not_listed(question.repository, fleet.settings)


def _wish(fleet: FleetPort, sight: Sight, question: CapacityQuestion) -> Wish:
    return Wish(
        labels=tuple(sorted({label.lower() for label in question.label})),
        count=question.count,
        repository=None if question.repository is None else question.repository.lower(),
        pools=frozenset(pool.name for pool in sight.pools_of(fleet.settings)),
    )
