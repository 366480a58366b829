"""``POST /v1/hooks/{online|started|completed|ended}``: what the listener saw, told by the boot agent.

The hook token is valid for one Runner only. Job code runs beside the agent and can forge a hook, so a hook
may veto a kill (it sets busy) but never changes a Job or demand: only GitHub does that. A started hook also
says what the gate refused, if it did; that makes one event and no more.
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import Connection

from runners.api.claim import bearer, small_body
from runners.api.problems import ApiProblem
from runners.model.nouns import Runner
from runners.model.reason import Reason
from runners.model.states import RunnerState
from runners.registration.registration import token_hash
from runners.store import events, last_lines, runners
from runners.store.connections import take_writer_lock
from runners.store.engine import Store
from runners.upstream.clock import Clock
from runners.wire.text import shown

ACTOR = "hook"
# The agent sends four fields, each bounded below; a longer body is not its own.
BODY_MAX = 8192
RUN_ID_MAX = 2**63 - 1
LINES_MAX = 40
LINE_MAX = 300
Hook = Literal["online", "started", "completed", "ended"]
# What the gate on the Machine says it refused, in our words: its own are as good as job code's.
GATES: Mapping[str, str] = {
    "repository": "its repository is in no list of the pool",
    "workflow": "its workflow is in no list of the pool",
    "event": "its event is in no list of the pool",
    "public": "its repository is public",
    "fork": "it is of a pull request from a fork",
}


class HookBody(BaseModel):
    """What the started hook knows of its job, and what was said before a bad end; all of it bounded."""

    model_config = ConfigDict(extra="ignore")

    run_id: int | None = Field(None, ge=0, le=RUN_ID_MAX)
    job: str = Field("", max_length=500)
    repository: str = Field("", max_length=200)
    workflow: str = Field("", max_length=500)
    refused: str = Field("", max_length=500)
    lines: tuple[Annotated[str, Field(max_length=LINE_MAX)], ...] = Field((), max_length=LINES_MAX)


def hooks_router(store: Store, clock: Clock, wake_planner: Callable[[], None]) -> APIRouter:
    """The hook routes."""
    router = APIRouter()

    @router.post("/v1/hooks/{hook}", status_code=204)
    async def take(hook: Hook, request: Request, authorization: Annotated[str, Header()] = "") -> Response:
        """Take one hook; the planner is woken, since a Runner may have changed."""
        token = bearer(authorization)
        body = await _body(request)
        now = clock.now()

        def op(conn: Connection) -> bool:
            hashed = token_hash(token.get_secret_value())
            if runners.by_hook_token(conn, hashed) is None:
                # Strangers do not get to hold up the writers.
                return False
            take_writer_lock(conn)
            runner = runners.by_hook_token(conn, hashed)
            if runner is not None:
                _take(conn, runner, hook, body, now)
            return runner is not None

        if not await store.run(op):
            raise ApiProblem(
                403,
                Reason.HOOK_TOKEN_WRONG,
                what="the hook changed nothing",
                why="its token is no Runner's",
                attempted=f"report {hook}",
                next_step="nothing: the job goes on without it",
            )
        wake_planner()
        return Response(status_code=204)

    return router


async def _body(request: Request) -> HookBody:
    try:
        return HookBody.model_validate(await small_body(request, BODY_MAX))
    except ValidationError:
        raise ApiProblem(
            400,
            Reason.REQUEST_INVALID,
            what="the hook changed nothing",
            why=f"its body is not the small JSON object that a hook has (at most {BODY_MAX} bytes)",
            attempted="report a hook",
            next_step="nothing: the job goes on without it",
        ) from None


def _take(conn: Connection, runner: Runner, hook: Hook, body: HookBody, now: float) -> None:
    if hook == "online":
        runners.move(
            conn,
            runner.name,
            RunnerState.IDLE,
            at=now,
            actor=ACTOR,
            reason=Reason.OBSERVED,
            detail="its listener is online",
            online_at=now,
        )
        return
    if hook == "ended":
        last_lines.keep(conn, runner.name, [shown(line) for line in body.lines], at=now)
    if hook == "started" and runner.finished_at is None:
        runners.move(
            conn,
            runner.name,
            RunnerState.BUSY,
            at=now,
            actor=ACTOR,
            reason=Reason.BUSY,
            detail="its started hook ran",
            busy_at=runner.busy_at or now,
            online_at=runner.online_at or now,
        )
    target = f"runner/{runner.name}"
    gate = GATES.get(body.refused) if hook == "started" else None
    run = f"run {body.run_id}" if body.run_id is not None else ""
    if gate is not None:
        # Beside the hook's own event: the job goes on to fail, and somebody should ask why it came here.
        _note_once(conn, target, "refused", Reason.GATE_REFUSED, f"{gate}; {run or 'run unknown'}", now)
    reason = Reason.BUSY if hook == "started" else Reason.OBSERVED
    _note_once(conn, target, hook, reason, run, now)


def _note_once(conn: Connection, target: str, verb: str, reason: Reason, detail: str, now: float) -> None:
    if events.page(conn, target=target, actor=ACTOR, verb=verb, limit=1):
        # Job code may call as often as it likes: what it repeats is no news, and must not fill the store.
        return
    events.append(
        conn,
        at=now,
        actor=ACTOR,
        verb=verb,
        target=target,
        reason=reason,
        detail=detail,
        outcome="refused" if verb == "refused" else "ok",
    )
