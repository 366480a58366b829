"""``POST /v1/claim`` and ``/v1/claim/ack``: where a booted Machine meets the ClaimDesk.

The app's frame adds ``X-Fly-Gha-Now`` to every answer, so the boot agent can check its clock. A refusal
says as little as the Machine needs; the particulars are in the event that was written with it.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Request, Response
from pydantic import SecretStr
from sqlalchemy import Connection

from machines.provider import IdentityError
from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.model.timing import Timing
from runners.registration.bounded import BoundedEvents
from runners.registration.claim import ClaimDesk, ClaimRefused
from runners.registration.registration import SealBroken
from runners.secrets.interface import CredentialMissing
from runners.store import events
from runners.store.engine import Store
from runners.upstream.clock import Clock
from runners.upstream.errors import UpstreamError

log = structlog.get_logger()

NONCE_LENGTH = range(32, 129)
BODY_MAX = 1024
RETRY_AFTER_S = 2

_OF_KIND = {
    "forged": Reason.TOKEN_FORGED,
    "malformed": Reason.TOKEN_FORGED,
    "expired": Reason.TOKEN_EXPIRED,
    "early": Reason.TOKEN_EARLY,
}


def claim_router(
    desk: ClaimDesk, store: Store, clock: Clock, timing: Timing, gate: Callable[[str], Mapping[str, Any]]
) -> APIRouter:
    """The two claim routes; ``gate`` says by pool what its Machines' gate is to refuse."""
    router = APIRouter()
    bounded = BoundedEvents()

    async def unproven(kind: str, detail: str) -> ApiProblem:
        """A bearer that proved nothing: counted, and written down at most once a minute per reason."""
        reason, now = _OF_KIND[kind], clock.now()
        text = bounded.worded(reason, now, detail)
        if text is not None:
            await store.run(lambda conn: _note(conn, reason, text, now))
        return _refusal(401, reason, detail)

    @router.post("/v1/claim", status_code=200, include_in_schema=True)
    async def claim(request: Request, authorization: Annotated[str, Header()] = "") -> Response:
        """Hand out the registration of the calling Machine, 204 when there is none yet."""
        token = bearer(authorization)
        nonce = _nonce(await small_body(request, BODY_MAX))
        try:
            handed = await desk.claim(token.get_secret_value(), nonce)
        except IdentityError as error:
            raise await unproven(error.kind, error.detail) from error
        except ClaimRefused as error:
            refused = error.refused
            raise _refusal(refused.status, refused.reason, refused.detail) from error
        except (CredentialMissing, UpstreamError, SealBroken) as error:
            raise _undecided(error) from error
        if handed is None:
            return Response(status_code=204)
        answer = {
            "runner": handed.registration.runner,
            "registration": handed.registration.for_agent(),
            "hook_token": handed.registration.hook_token.get_secret_value(),
            "online_deadline_s": timing.online_deadline,
            "gate": gate(handed.pool),
            "now": clock.now(),
        }
        return Response(json.dumps(answer), media_type="application/json")

    @router.post("/v1/claim/ack", status_code=204)
    async def acknowledge(authorization: Annotated[str, Header()] = "") -> Response:
        """The agent has its registration: forget the sealed copy."""
        runner = await desk.acknowledge(bearer(authorization))
        if runner is None:
            raise _refusal(403, Reason.HOOK_TOKEN_WRONG, "the hook token is no Runner's")
        return Response(status_code=204)

    return router


def bearer(authorization: str) -> SecretStr:
    """The token of an Authorization header.

    Raises:
        ApiProblem: 401, there is none.
    """
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise _refusal(401, Reason.TOKEN_MISSING, "the call carries no bearer token")
    return SecretStr(token)


async def small_body(request: Request, limit: int) -> Any:
    """The body as JSON, or None when it is not JSON or is longer; no more than ``limit`` bytes are kept."""
    body = b""
    async for chunk in request.stream():
        if len(body) + len(chunk) > limit:
            return None
        body += chunk
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _nonce(body: Any) -> str:
    nonce = body.get("nonce") if isinstance(body, dict) else None
    if not isinstance(nonce, str) or len(nonce) not in NONCE_LENGTH or not nonce.isascii():
        detail = (
            f"the body must be a small JSON object with a nonce of {NONCE_LENGTH.start} characters or more"
        )
        raise _refusal(400, Reason.CLAIM_MALFORMED, detail)
    return nonce


def _refusal(status: int, reason: Reason, why: str) -> ApiProblem:
    return ApiProblem(
        status,
        reason,
        what="no registration was handed out",
        why=why,
        attempted="claim a registration for a booted Machine",
        next_step="ask again with a new token" if status == 401 else "end this Machine",  # noqa: PLR2004 - HTTP
    )


def _undecided(error: CredentialMissing | UpstreamError | SealBroken) -> ApiProblem:
    """Nobody is refused for what the dispatcher lacks; the log says what that is."""
    log.warning("claim.undecided", why=str(error))
    reason = Reason.ISSUER_UNREADABLE
    if isinstance(error, (CredentialMissing, SealBroken)):
        reason = Reason.CREDENTIAL_MISSING if isinstance(error, CredentialMissing) else Reason.SEAL_BROKEN
    return ApiProblem(
        503,
        reason,
        what="no registration was handed out",
        why="the dispatcher cannot verify or decide just now; its log says what it lacks",
        attempted="claim a registration for a booted Machine",
        next_step="ask again",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    )


def _note(conn: Connection, reason: Reason, detail: str, now: float) -> None:
    events.append(
        conn,
        at=now,
        actor="claim",
        verb="refused",
        target="claim",
        reason=reason,
        detail=detail,
        outcome="refused",
    )
