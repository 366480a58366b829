"""``POST /v1/sweep``: look for what lost its partner now, instead of at the next period.

It wakes the loops that read the lists of Fly and GitHub, and the planner. It ends nothing by itself: what two
readings ``timing.absence_confirm`` apart do not agree on stays, whoever is in a hurry.
"""

from fastapi import APIRouter, Request, Response

from runners.api.access import Accesses, Fleet, Operator
from runners.api.carrying_out import Act, Done, carry_out, no_if_match
from runners.api.operate_access import whole_fleet
from runners.api.operate_bodies import SweepBody, read_body
from runners.model.snapshot import Snapshot
from runners.planning.sweep_preview import Find, place_of, preview
from runners.store import events
from runners.wire.operate import SweepAnswer, SweepFind
from runners.wire.times import maybe_rfc3339, rfc3339

router = APIRouter(prefix="/v1", tags=["operate"])
WAKES = ("machine-list", "runner-list", "planner")


@router.post("/sweep", response_model=SweepAnswer)
async def sweep(fleet: Fleet, viewer: Operator, access: Accesses, request: Request) -> Response:
    """Read the lists now and sweep what two readings agree on; or only say what would be swept."""
    await whole_fleet(request, access, viewer)
    no_if_match(request)
    body = await read_body(request, SweepBody)
    latest = fleet.latest
    snapshot = None if latest is None else latest.snapshot

    def do(act: Act) -> Done:
        found = () if snapshot is None else tuple(_find(snapshot, each) for each in preview(snapshot))
        if not body.dry_run:
            act.event("sweep_asked", "fleet", f"{len(found)} found so far")
        answer = SweepAnswer(
            dry_run=body.dry_run,
            found=found,
            planned_at=None if snapshot is None else rfc3339(snapshot.now),
            revision=events.revision(act.conn),
            as_of=rfc3339(act.now),
            next=_next(act, found, dry_run=body.dry_run),
        )
        return Done(answer, wakes=() if body.dry_run else WAKES)

    return await carry_out(request, fleet, viewer, body, do, changes=not body.dry_run)


def _find(snapshot: Snapshot, find: Find) -> SweepFind:
    kind, name, where = place_of(snapshot, find.action)
    return SweepFind(
        kind=kind,
        name=name,
        where=where,
        reason=find.action.why.reason,
        text=str(find.action.why),
        confirmed=find.confirmed,
        confirmed_at=maybe_rfc3339(find.confirmed_at),
    )


def _next(act: Act, found: tuple[SweepFind, ...], *, dry_run: bool) -> tuple[str, ...]:
    apart = f"{act.fleet.settings.timing.absence_confirm:g} s"
    sure = sum(each.confirmed for each in found)
    waiting = len(found) - sure
    told = [
        f"{sure} would be ended at the planner's next pass"
        if dry_run
        else "the lists are read now, then planned"
    ]
    if waiting or not dry_run:
        told.append(
            f"nothing is ended before two readings {apart} apart agree: {waiting} wait for the second"
        )
    if act.fleet.latest is None:
        told.append("the planner has not looked yet: what there is will show after its first pass")
    return tuple(told)
