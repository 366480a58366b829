"""The operator API for pools: drain, undrain, scale.

What is so already is answered with ``changed: false`` and written nowhere: an operator who drains a drained
pool has what they want, and a script that runs twice is right twice. An override that says what fleet.toml
says is removed, so that what shows as overridden is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from runners.api.access import Accesses, Fleet, Operator
from runners.api.carrying_out import Act, Done, carry_out
from runners.api.operate_access import operable_pool
from runners.api.operate_bodies import Asked, ScaleBody, read_body
from runners.api.operate_words import (
    Counted,
    after_drain,
    after_scale,
    after_undrain,
    counted,
)
from runners.api.pool_version import FIELDS, NUMBERS, check_if_match, controls, version
from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.model.settings import PoolSettings, Settings
from runners.store import events, jobs, machines, pools, runners
from runners.store.pools import PoolOverride
from runners.wire.operate import PoolControls, PoolOperation
from runners.wire.times import rfc3339

router = APIRouter(prefix="/v1", tags=["operate"])
PLANNER = "planner"


@router.post("/pools/{name}/drain", response_model=PoolOperation)
async def drain(fleet: Fleet, viewer: Operator, access: Accesses, request: Request, name: str) -> Response:
    """Let a pool take no new work; what is busy finishes."""
    pool = await operable_pool(request, access, viewer, fleet.settings, name)
    return await _operate(request, fleet, viewer, pool, await read_body(request, Asked), _draining(True))


@router.post("/pools/{name}/undrain", response_model=PoolOperation)
async def undrain(fleet: Fleet, viewer: Operator, access: Accesses, request: Request, name: str) -> Response:
    """Let a pool serve again."""
    pool = await operable_pool(request, access, viewer, fleet.settings, name)
    return await _operate(request, fleet, viewer, pool, await read_body(request, Asked), _draining(False))


@router.post("/pools/{name}/scale", response_model=PoolOperation)
async def scale(fleet: Fleet, viewer: Operator, access: Accesses, request: Request, name: str) -> Response:
    """Override a pool's cap and spares; null goes back to fleet.toml's."""
    pool = await operable_pool(request, access, viewer, fleet.settings, name)
    body = await read_body(request, ScaleBody)
    return await _operate(request, fleet, viewer, pool, body, _scaling(fleet.settings, body))


@dataclass(frozen=True, slots=True)
class _Wish:
    """What a request makes of a pool's override.

    Attributes:
        verb: of the event.
        override: how it should be.
        note: what to say of fleet.toml, or "".
    """

    verb: str
    override: PoolOverride
    note: str = ""


_Wanting = Callable[[PoolSettings, PoolOverride], _Wish]


async def _operate(
    request: Request, fleet: Fleet, viewer: Operator, pool: PoolSettings, body: Asked, wanting: _Wanting
) -> Response:
    if_match = ", ".join(request.headers.getlist("if-match")) or None

    def do(act: Act) -> Done:
        before = pools.overrides(act.conn).get(pool.name, PoolOverride())
        check_if_match(act.conn, if_match, pool, before, act.attempted)
        wish = wanting(pool, before)
        return _write(act, pool, before, wish)

    return await carry_out(request, fleet, viewer, body, do)


def _write(act: Act, pool: PoolSettings, before: PoolOverride, wish: _Wish) -> Done:
    changed = wish.override != before
    was, after = controls(pool, before), wish.override
    if changed:
        revision = act.event(wish.verb, f"pool/{pool.name}", _change(was, controls(pool, after)))
        after = replace(after, revision=revision)
        pools.set_override(
            act.conn, pool.name, **{name: getattr(after, name) for name in (*FIELDS, "revision")}
        )
    now = controls(pool, after)
    told = _next(act, pool, was, now, wish.verb) if changed else ("it is so already: nothing was changed",)
    answer = PoolOperation(
        pool=pool.name,
        changed=changed,
        before=was,
        after=now,
        revision=events.revision(act.conn),
        as_of=rfc3339(act.now),
        version=version(pool, after),
        next=(*told, wish.note) if wish.note else told,
    )
    return Done(answer, wakes=(PLANNER,) if changed else ())


def _draining(drained: bool) -> _Wanting:
    def wanting(pool: PoolSettings, before: PoolOverride) -> _Wish:
        verb = "drained" if drained else "undrained"
        setting = f"fleet.toml says drained = {str(pool.drained).lower()}"
        if (pool.drained if before.drained is None else before.drained) is drained:
            note = setting if before.drained is None and pool.drained else ""
            return _Wish(verb, before, note)
        if pool.drained is drained:
            note = f"{setting}, and the override against it is removed" if pool.drained else ""
            return _Wish(verb, replace(before, drained=None), note)
        note = f"{setting}; this override holds against it, also after a restart" if pool.drained else ""
        return _Wish(verb, replace(before, drained=drained), note)

    return wanting


def _scaling(settings: Settings, body: ScaleBody) -> _Wanting:
    given = {name: getattr(body, name) for name in NUMBERS if name in body.model_fields_set}
    cap = settings.fleet.max_machines

    def wanting(pool: PoolSettings, before: PoolOverride) -> _Wish:
        if not given:
            raise _impossible(
                "it names no figure",
                "give one or more of max_machines, ready and stopped; null goes back to fleet.toml's",
            )
        if (given.get("max_machines") or 0) > cap:
            raise _impossible(
                f"max_machines is above the fleet's cap of {cap} (fleet.max_machines)",
                f"give {cap} or less, or raise the fleet's cap in fleet.toml",
            )
        override = replace(before, **given)
        now = controls(pool, override)
        # fleet.toml's own figures are its own matter: they can always be gone back to.
        if set(NUMBERS) & set(now.overrides) and now.ready + now.stopped > now.max_machines:
            raise _impossible(
                f"ready ({now.ready}) and stopped ({now.stopped}) spares together are more than the pool's "
                f"max_machines ({now.max_machines})",
                "lower the spares or raise max_machines, in one request",
            )
        return _Wish("scaled", override)

    return wanting


def _impossible(why: str, next_step: str) -> ApiProblem:
    return ApiProblem(
        422,
        Reason.REQUEST_INVALID,
        what="the pool was not scaled",
        why=why,
        attempted="scale a pool",
        next_step=next_step,
    )


def _next(act: Act, pool: PoolSettings, was: PoolControls, now: PoolControls, verb: str) -> tuple[str, ...]:
    found = _counted(act.conn, pool.name)
    said = pools.fleet_paused(act.conn)
    paused = act.fleet.settings.fleet.paused if said is None else said
    if verb == "drained":
        return after_drain(found, pool)
    if verb == "undrained":
        return after_undrain(found, now, paused=paused)
    shut = "fleet is paused" if paused else "pool is drained" if now.drained else ""
    return after_scale(found, was, now, shut=shut)


def _counted(conn: Connection, pool: str) -> Counted:
    return counted(
        (job for job in jobs.live(conn) if job.pool == pool),
        [machine for machine in machines.live(conn) if machine.pool == pool],
        [runner for runner in runners.live(conn) if runner.pool == pool],
    )


def _change(before: PoolControls, after: PoolControls) -> str:
    """``max_machines 10 -> 4 (fleet.toml)``: every figure that is another, or is another's word, now."""
    told = []
    for name in FIELDS:
        was, now = getattr(before, name), getattr(after, name)
        if was == now and (name in before.overrides) == (name in after.overrides):
            continue
        origin = "" if name in after.overrides else " (fleet.toml)"
        told.append(f"{name} {_json(was)} -> {_json(now)}{origin}")
    return ", ".join(told)


def _json(value: object) -> str:
    return str(value).lower()
