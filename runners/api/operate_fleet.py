"""The operator API for the whole fleet: pause and resume. What is so already is written nowhere."""

from collections.abc import Callable

from fastapi import APIRouter, Request, Response

from runners.api.access import Accesses, Fleet, Operator
from runners.api.carrying_out import Act, Done, carry_out, no_if_match
from runners.api.operate import PLANNER
from runners.api.operate_access import whole_fleet
from runners.api.operate_bodies import Asked, read_body
from runners.api.operate_words import after_pause, after_resume, counted
from runners.planning.charge import drained_pools
from runners.store import events, jobs, machines, pools, runners
from runners.wire.operate import FleetControls, FleetOperation
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["operate"])


@router.post("/fleet/pause", response_model=FleetOperation)
async def pause(fleet: Fleet, viewer: Operator, access: Accesses, request: Request) -> Response:
    """Launch nothing in any pool; what runs goes on."""
    await whole_fleet(request, access, viewer)
    no_if_match(request)
    return await carry_out(request, fleet, viewer, await read_body(request, Asked), _pausing(True))


@router.post("/fleet/resume", response_model=FleetOperation)
async def resume(fleet: Fleet, viewer: Operator, access: Accesses, request: Request) -> Response:
    """Launch again."""
    await whole_fleet(request, access, viewer)
    no_if_match(request)
    return await carry_out(request, fleet, viewer, await read_body(request, Asked), _pausing(False))


def _pausing(paused: bool) -> Callable[[Act], Done]:
    def do(act: Act) -> Done:
        fleet, said = act.fleet.settings.fleet, pools.fleet_paused(act.conn)
        before = FleetControls(paused=fleet.paused if said is None else said, overridden=said is not None)
        changed = before.paused is not paused
        word = None if fleet.paused is paused else paused
        after = FleetControls(paused=paused, overridden=word is not None) if changed else before
        told: tuple[str, ...] = ("it is so already: nothing was changed",)
        if changed:
            act.event(
                "paused" if paused else "resumed", "fleet", f"paused {_json(not paused)} -> {_json(paused)}"
            )
            pools.set_fleet_paused(act.conn, word)
            found = counted(jobs.live(act.conn), machines.live(act.conn), runners.live(act.conn))
            told = after_pause(found) if paused else after_resume(found, _drained(act))
        if fleet.paused:
            held = ("this override holds against it, also after a restart",) if after.overridden else ()
            told = (*told, "; ".join(("fleet.toml says paused = true", *held)))
        answer = FleetOperation(
            fleet=fleet.name,
            changed=changed,
            before=before,
            after=after,
            revision=events.revision(act.conn),
            as_of=rfc3339(act.now),
            next=told,
        )
        return Done(answer, wakes=(PLANNER,) if changed else ())

    return do


def _drained(act: Act) -> frozenset[str]:
    said = {name: override.drained for name, override in pools.overrides(act.conn).items()}
    return drained_pools(act.fleet.settings, said)


def _json(value: bool) -> str:
    return str(value).lower()
