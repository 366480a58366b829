"""GET /healthz (the process answers) and /readyz (it can do its work); both open, neither tells a secret."""

import asyncio
from collections.abc import Sequence

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from runners.api.access import Fleet
from runners.api.port import FleetPort
from runners.api.status_view import is_late
from runners.control.loop import LoopHealth
from runners.secrets.ageing import in_words
from runners.store import events
from runners.store.errors import StoreError
from runners.wire.health import Check, Health, Readiness
from runners.wire.times import rfc3339

router = APIRouter(tags=["health"])
PLANNER = "planner"
# One dependency may not hold up the answer about the others.
DEPENDENCY_DEADLINE_S = 3.0


@router.get("/healthz")
async def healthz(fleet: Fleet) -> Health:
    """The process is alive; nothing is asked of anyone."""
    return Health(as_of=rfc3339(fleet.clock.now()))


@router.get("/readyz")
async def readyz(fleet: Fleet, request: Request) -> Response:
    """200 when the dispatcher can do its work, else 503 with the list of what it lacks."""
    checks = (await _store(fleet), _credentials(fleet), _planner(fleet.loops(), fleet.clock.now()))
    failed = tuple(check.name for check in checks if not check.ok)
    answer = Readiness(
        ready=not failed,
        fleet=fleet.settings.fleet.name,
        instance=request.app.state.instance,
        as_of=rfc3339(fleet.clock.now()),
        not_ready=failed,
        checks=checks,
    )
    return JSONResponse(answer.model_dump(), 503 if failed else 200)


async def _store(fleet: FleetPort) -> Check:
    asked = asyncio.ensure_future(fleet.store.run(events.revision))
    # Not cancelled when late: a store lets its caller go only when the transaction is over.
    done, _ = await asyncio.wait({asked}, timeout=DEPENDENCY_DEADLINE_S)
    if not done:
        asked.add_done_callback(_looked_at)
        detail = f"the database did not answer within {DEPENDENCY_DEADLINE_S:g} s"
        return Check(name="store", ok=False, detail=detail)
    try:
        asked.result()
    except StoreError:
        return Check(name="store", ok=False, detail="the database cannot be used")
    return Check(name="store", ok=True)


def _looked_at(asked: asyncio.Future[int]) -> None:
    """So that asyncio does not call a late failure forgotten."""
    if not asked.cancelled():
        asked.exception()


def _credentials(fleet: FleetPort) -> Check:
    missing = sorted(set(fleet.missing_credentials().values()))
    if missing:
        return Check(name="credentials", ok=False, detail=f"missing: {', '.join(missing)}")
    # It works on: a probe that took the dispatcher away for this would end what the token still allows.
    late = [f"{name} ({in_words(left)})" for name, left in sorted(fleet.ageing_credentials().items())]
    detail = f"not replaced in time: {', '.join(late)}" if late else ""
    return Check(name="credentials", ok=True, detail=detail)


def _planner(loops: Sequence[LoopHealth], now: float) -> Check:
    planner = next((health for health in loops if health.name == PLANNER), None)
    if planner is None or planner.last_pass_at is None:
        return Check(name="planner", ok=False, detail="it has not finished a pass yet")
    if is_late(planner, now):
        age = now - planner.last_pass_at
        return Check(name="planner", ok=False, detail=f"its last good pass was {age:.0f} s ago")
    return Check(name="planner", ok=True)
