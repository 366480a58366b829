"""Carrying out: one operator's request, once, in one transaction with its event and its kept answer.

``Idempotency-Key``: the same key with the same request gets the same answer and changes nothing a second
time, also after a restart, and also when the dispatcher died between the commit and the answer. A refusal
changes nothing and is not kept: the key may be used again once the request has been mended.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Request, Response
from sqlalchemy import Connection

from runners.api.access import Viewer
from runners.api.operate_bodies import Asked
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.store import events, kept_answers
from runners.store.connections import take_writer_lock
from runners.store.kept_answers import KeptAnswer, hashed
from runners.wire.answer import Answer

KEY_HEADER = "idempotency-key"
REPLAYED_HEADER = "idempotency-replayed"
# 1 to 255 visible ASCII characters; quotes are taken as part of it, so that both spellings work.
_KEY = re.compile(r"[!-~]{1,255}")


@dataclass(frozen=True, slots=True)
class Done:
    """What an operation has written.

    Attributes:
        answer: what the caller gets.
        kept: what a repeat gets, when that is not the answer itself: a token's text is never stored.
        wakes: the loops that have something to do now.
    """

    answer: Answer
    kept: Answer | None = None
    wakes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """One request inside its transaction.

    Attributes:
        conn: the transaction; it is the only writer until it ends.
        fleet: the fleet.
        viewer: who asks.
        now: Unix seconds.
        words: the operator's reason.
        attempted: the method and the route.
    """

    conn: Connection
    fleet: FleetPort
    viewer: Viewer
    now: float
    words: str
    attempted: str

    def event(self, verb: str, target: str, change: str, reason: Reason = Reason.OPERATOR_REQUEST) -> int:
        """Write who did what to what, before -> after, and in whose words; returns the revision."""
        said = f"; said: {self.words}" if self.words else "; no reason given"
        return events.append(
            self.conn,
            at=self.now,
            actor=self.viewer.actor,
            verb=verb,
            target=target,
            reason=reason,
            detail=change + said,
        )


async def carry_out(
    request: Request,
    fleet: FleetPort,
    viewer: Viewer,
    body: Asked,
    do: Callable[[Act], Done],
    *,
    changes: bool = True,
) -> Response:
    """Do it, once.

    Args:
        request: for its headers and its address.
        fleet: the fleet.
        viewer: who asks; their scope has been checked.
        body: what they sent.
        do: writes the change and its event, or raises and leaves everything as it was.
        changes: False for what only looks, which an observing dispatcher may do as well.

    Raises:
        ApiProblem: what ``do`` raised; 422 for a key that came before with another request; 409 when this
            dispatcher only observes.
        StoreUnavailable: nothing was done.
    """
    attempted = f"{request.method} {getattr(request.scope.get('route'), 'path', '')}"
    if changes and not fleet.acts:
        raise _observing(attempted)
    key = _key(request, attempted)
    asked = hashed(request.method, request.url.path, body.model_dump_json(exclude_unset=True))
    now = fleet.clock.now()

    def op(conn: Connection) -> Done | str:
        take_writer_lock(conn)
        if key is not None:
            known = kept_answers.find(conn, viewer.token.id, key, now)
            if known is not None and known.request_hash != asked:
                raise _other_request(attempted)
            if known is not None:
                return known.body
        done = do(Act(conn, fleet, viewer, now, body.words, attempted))
        if key is not None:
            text = (done.kept or done.answer).model_dump_json()
            kept_answers.keep(conn, viewer.token.id, key, KeptAnswer(asked, text, now))
        return done

    done = await fleet.store.run(op)
    if isinstance(done, str):
        return _response(done, {REPLAYED_HEADER: "true"})
    for loop in done.wakes:
        fleet.wake(loop)
    return _response(done.answer.model_dump_json(), {})


def no_if_match(request: Request) -> None:
    """Refuse a condition that nothing here can check: to overlook it would be to act against it.

    Raises:
        ApiProblem: 422, the request has an If-Match.
    """
    if "if-match" in request.headers:
        raise ApiProblem(
            422,
            Reason.REQUEST_INVALID,
            what="nothing was done",
            why="this address has no ETag, so If-Match cannot be checked",
            attempted=f"{request.method} {getattr(request.scope.get('route'), 'path', '')}",
            next_step="leave If-Match out; GET /v1/pools/{name} gives an ETag for drain, undrain and scale",
        )


def _response(text: str, headers: dict[str, str]) -> Response:
    version = json.loads(text).get("version")
    if version is not None:
        headers["ETag"] = version
    return Response(text, headers=headers, media_type="application/json")


def _key(request: Request, attempted: str) -> str | None:
    given = request.headers.getlist(KEY_HEADER)
    if not given:
        return None
    if len(given) > 1 or not _KEY.fullmatch(given[0]):
        raise ApiProblem(
            422,
            Reason.REQUEST_INVALID,
            what="nothing was done",
            why="an Idempotency-Key is one word of 1 to 255 visible ASCII characters, sent once",
            attempted=attempted,
            next_step="send a new random one, such as a UUID, for each thing to do",
        )
    return hashed(given[0])


def _other_request(attempted: str) -> ApiProblem:
    return ApiProblem(
        422,
        Reason.KEY_USED_BEFORE,
        what="nothing was done",
        why="this Idempotency-Key came before, within a day, with another request",
        attempted=attempted,
        next_step="send a new key; for the earlier answer send the earlier request again",
    )


def _observing(attempted: str) -> ApiProblem:
    return ApiProblem(
        409,
        Reason.ONLY_OBSERVING,
        what="nothing was done",
        why="this dispatcher was started with --observe: it plans, explains and changes nothing",
        attempted=attempted,
        next_step="ask the dispatcher that acts",
    )
