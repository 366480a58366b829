"""Every error the API answers is a Problem: typed, complete, and without a traceback, a secret or an echo.

What a caller sent is never quoted back: it may be a secret in the wrong place, or somebody else's markup.
"""

import traceback
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runners.model.reason import Reason
from runners.store.errors import StoreError
from runners.wire.problem import Problem

PROBLEM_TYPE = "application/problem+json"
RETRY_AFTER_S = 2
_MISTAKES_SHOWN = 5
_FRAMES_LOGGED = 6


class ApiProblem(Exception):
    """An error answer, raised where it is decided.

    Attributes:
        status: the HTTP status.
        problem: the body.
        headers: further headers, such as WWW-Authenticate.
    """

    def __init__(
        self,
        status: int,
        reason: Reason,
        *,
        what: str,
        why: str,
        attempted: str,
        next_step: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {reason}: {what}: {why}")
        self.status = status
        self.problem = Problem(reason=reason, what=what, why=why, attempted=attempted, next_step=next_step)
        self.headers = dict(headers or {})

    def response(self) -> Response:
        """The HTTP answer."""
        return JSONResponse(
            self.problem.model_dump(), self.status, headers=self.headers, media_type=PROBLEM_TYPE
        )


def install(app: FastAPI) -> None:
    """Make every error of the app a Problem, unhandled ones included."""
    app.add_exception_handler(ApiProblem, _of_ours)
    app.add_exception_handler(StoreError, _of_store)
    app.add_exception_handler(RequestValidationError, _of_validation)
    app.add_exception_handler(HTTPException, _of_http)
    app.add_exception_handler(ClientDisconnect, _of_disconnect)


class Shield:
    """The outermost layer: an exception that nobody expected is logged and answered, never shown."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on, and answer 500 when it fails before it answered."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except Exception as error:
            _log(scope, error)
            if begun:
                # The body is cut: the server closes the connection, so that nobody takes it for whole.
                raise
            await _unexpected(scope).response()(scope, receive, send)


def _of_ours(_: Request, error: Exception) -> Response:
    assert isinstance(error, ApiProblem)  # noqa: S101 - registered for this type alone
    return error.response()


def _of_store(request: Request, error: Exception) -> Response:
    assert isinstance(error, StoreError)  # noqa: S101 - registered for this type alone
    structlog.get_logger().warning(
        "api.store_unavailable", error=str(error), attempted=_attempted(request.scope)
    )
    return ApiProblem(
        503,
        Reason.STORE_UNAVAILABLE,
        what="the request was not carried out",
        why="the dispatcher's database cannot be used now",
        attempted=_attempted(request.scope),
        next_step="try again in a few seconds; GET /readyz tells when it is back",
        headers={"Retry-After": str(RETRY_AFTER_S)},
    ).response()


def _of_validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    return ApiProblem(
        422,
        Reason.REQUEST_INVALID,
        what="the request was not understood",
        why=_mistakes(error.errors()),
        attempted=_attempted(request.scope),
        next_step="correct what is named and ask again",
    ).response()


def _of_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    reason, what, why, next_step = {
        404: (
            Reason.NOT_FOUND,
            "nothing is at this address",
            "the dispatcher has no such route",
            "check the path; GET /v1/status is where a reader begins",
        ),
        405: (
            Reason.METHOD_NOT_ALLOWED,
            "this address does not take this method",
            "the route exists for other methods",
            "use a method that the Allow header names",
        ),
    }.get(
        error.status_code,
        (
            Reason.REQUEST_INVALID,
            "the request was not understood",
            f"the server's HTTP layer refused it with status {error.status_code}",
            "check that the request is well-formed HTTP",
        ),
    )
    return ApiProblem(
        error.status_code,
        reason,
        what=what,
        why=why,
        attempted=_attempted(request.scope),
        next_step=next_step,
        headers=error.headers,
    ).response()


def _of_disconnect(request: Request, _: Exception) -> Response:
    """The caller has gone: nobody reads this, and nothing was done."""
    return ApiProblem(
        400,
        Reason.REQUEST_INVALID,
        what="the request was not carried out",
        why="the connection ended before the body did",
        attempted=_attempted(request.scope),
        next_step="send it again",
    ).response()


def _unexpected(scope: Scope) -> ApiProblem:
    return ApiProblem(
        500,
        Reason.INTERNAL_ERROR,
        what="the request failed",
        why="an error in the dispatcher; its log has the particulars",
        attempted=_attempted(scope),
        next_step="look for api.failed with this answer's X-Request-Id in the dispatcher's log and report it",
    )


def _attempted(scope: Scope) -> str:
    """The route's own template, not the caller's path: that may hold anything."""
    route = scope.get("route")
    path = getattr(route, "path", None)
    method = scope["method"] if scope["method"].isalpha() and len(scope["method"]) <= 10 else "a request"  # noqa: PLR2004 - longer than any method
    return f"{method} {path}" if path else f"{method} of an address"


def _mistakes(errors: Sequence[Any]) -> str:
    """Where and what, of the first few mistakes; never the value."""
    shown = [f"{_place(error['loc'])}: {_plain(error)}" for error in errors[:_MISTAKES_SHOWN]]
    rest = len(errors) - len(shown)
    return "; ".join(shown) + (f"; and {rest} more" if rest > 0 else "")


def _place(loc: Sequence[object]) -> str:
    """``query.limit``; a name that the caller chose (an unknown parameter) is cut to harmless characters."""
    parts = ("".join(char for char in str(part)[:40] if char.isalnum() or char in "_-") for part in loc)
    return ".".join(part or "?" for part in parts)


def _plain(error: Mapping[str, Any]) -> str:
    """Pydantic's sentence; those of our own validators and of JSON may quote input and are replaced."""
    if error["type"] in ("value_error", "assertion_error", "json_invalid"):
        return "not a valid value" if error["type"] != "json_invalid" else "not JSON"
    return str(error["msg"])


def _log(scope: Scope, error: Exception) -> None:
    """Type and places only: a message, or a frame's locals, may hold what the caller sent."""
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES_LOGGED:]
    where = " > ".join(f"{frame.filename}:{frame.lineno}" for frame in frames)
    structlog.get_logger().error(
        "api.failed", error=type(error).__name__, where=where, attempted=_attempted(scope)
    )
