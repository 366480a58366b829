"""POST /webhooks/github: size, type, signature, JSON, in that order; then the Intake, and an answer at once.

The signature is checked on the raw bytes, in constant time, against the current secret and the one before it
(a rotation overlaps). Nothing of an unsigned body is read but its length.
"""

import hashlib
import hmac
from contextlib import suppress

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import SecretStr

from runners.api.access import Fleet
from runners.api.intake import BodyNotJSON, Delivery, Outcome
from runners.api.port import FleetPort
from runners.api.problems import ApiProblem
from runners.github.payload import PayloadMalformed
from runners.model.reason import Reason
from runners.store.errors import StoreError
from runners.wire.delivery import DeliveryAnswer

router = APIRouter(tags=["webhooks"])
ATTEMPTED = "POST /webhooks/github"
SIGNATURE = "x-hub-signature-256"
SECRETS = ("GITHUB_WEBHOOK_SECRET", "GITHUB_WEBHOOK_SECRET_PREVIOUS")
_OF_THE_HOOK = "in the webhook's settings at GitHub"


@router.post("/webhooks/github")
async def github(fleet: Fleet, request: Request) -> Response:
    """Take one delivery: 202 whatever becomes of a well-formed one, so that GitHub calls none failed."""
    try:
        outcome = await _taken(fleet, request)
    except ApiProblem as refused:
        fleet.meters.refused_webhooks[refused.problem.reason] += 1
        if refused.status < 500:  # noqa: PLR2004 - ours to mend, not the sender's
            guid = request.headers.get("x-github-delivery", "")
            reason = Reason(refused.problem.reason)
            # The sender is told the truth about its delivery even when the event cannot be written.
            with suppress(StoreError):
                await fleet.intake.refused(reason, refused.problem.why, guid=guid)
        raise
    fleet.meters.webhooks[str(outcome.why.reason)] += 1
    ping = request.headers.get("x-github-event") == "ping"
    return JSONResponse(_answer(outcome).model_dump(), 200 if ping else 202)


async def _taken(fleet: FleetPort, request: Request) -> Outcome:
    body = await _body(request, fleet.settings.github.webhook_max_bytes)
    _check_type(request.headers.get("content-type", ""))
    _check_signature(request.headers.get(SIGNATURE), body, [fleet.secret(name) for name in SECRETS])
    delivery = Delivery(
        guid=request.headers.get("x-github-delivery", ""),
        event=request.headers.get("x-github-event", ""),
        body=body,
    )
    try:
        return await fleet.intake.handle_delivery(delivery)
    except BodyNotJSON:
        raise _refused(
            400, Reason.BODY_NOT_JSON, "the body is not one JSON text", "redeliver it; GitHub sends JSON"
        ) from None
    except PayloadMalformed as malformed:
        raise _refused(
            400,
            malformed.reason,
            malformed.detail,
            "look at the payload in GitHub's delivery log, and report it if GitHub sent it so",
        ) from None


async def _body(request: Request, limit: int) -> bytes:
    """The body, or 413 as soon as it is known to be too large: no more than ``limit`` is ever held."""
    said = request.headers.get("content-length", "")
    if said.isdecimal() and (len(said) > 18 or int(said) > limit):  # noqa: PLR2004 - more digits than any size
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _check_type(content_type: str) -> None:
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise _refused(
            415,
            Reason.CONTENT_TYPE_WRONG,
            "the content type is not application/json",
            f"choose the content type application/json {_OF_THE_HOOK}",
        )


def _check_signature(given: str | None, body: bytes, secrets: list[SecretStr | None]) -> None:
    known = [secret.get_secret_value().encode() for secret in secrets if secret is not None]
    if not known:
        # Fail closed: without a secret nobody can tell GitHub from anybody.
        raise ApiProblem(
            503,
            Reason.CREDENTIAL_MISSING,
            what="the delivery was not taken",
            why=f"the dispatcher has no {SECRETS[0]} to check its signature with",
            attempted=ATTEMPTED,
            next_step=f"provide {SECRETS[0]}; the delivery catch-up fetches what was missed",
            headers={"Retry-After": "60"},
        )
    if not given:
        raise _refused(
            401,
            Reason.SIGNATURE_MISSING,
            "the X-Hub-Signature-256 header is missing",
            f"set a secret {_OF_THE_HOOK}",
        )
    # As bytes: a header that is not ASCII is wrong, not an error. Every secret is tried, whichever matches.
    matches = [
        hmac.compare_digest(
            f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}".encode(), given.encode()
        )
        for secret in known
    ]
    if not any(matches):
        raise _refused(
            401,
            Reason.SIGNATURE_WRONG,
            "the X-Hub-Signature-256 header does not match the body and the webhook secret",
            f"make {SECRETS[0]} and the secret {_OF_THE_HOOK} the same",
        )


def _too_large(limit: int) -> ApiProblem:
    return _refused(
        413,
        Reason.BODY_TOO_LARGE,
        f"the body is larger than github.webhook_max_bytes ({limit})",
        "raise github.webhook_max_bytes if GitHub itself sent it",
    )


def _refused(status: int, reason: Reason, why: str, next_step: str) -> ApiProblem:
    return ApiProblem(
        status,
        reason,
        what="the delivery was not taken",
        why=why,
        attempted=ATTEMPTED,
        next_step=next_step,
    )


def _answer(outcome: Outcome) -> DeliveryAnswer:
    return DeliveryAnswer(
        accepted=outcome.accepted,
        reason=outcome.why.reason,
        text=str(outcome.why),
        job_id=outcome.job_id,
        pool=outcome.pool,
        state=outcome.state,
    )
