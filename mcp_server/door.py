"""Door: who may bring a request to ``/mcp`` at all, and that none is turned away without a record.

Every request is authenticated here, whatever its method, by the same Identity and with the same record as in
the checkpoint, which asks again for each call: a token that is revoked in between ends there. What the
protocol's own transport refuses (no JSON, a batch, headers of the wrong era) never becomes a call; it is
recorded here, and what is said of it is cut to what quotes nothing of it.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import ceil

from mcp.server.context import ServerRequestContext
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mcp_server.call import Answer, Call, Operation
from mcp_server.refused import Refused
from mcp_server.rule import ErrorClass, Rule

_VISIT = "fly_gha_status.visit"
_UNAUTHORIZED, _METHOD_NOT_ALLOWED, _TOO_MANY, _UNAVAILABLE, _WRONG = 401, 405, 429, 503, 400


@dataclass
class _Visit:
    """One request that was let in.

    Attributes:
        knock: what it brought.
        at_desk: the checkpoint has it, and so records it.
    """

    knock: Call
    at_desk: bool = False


def presented(ctx: ServerRequestContext[object, Request]) -> tuple[SecretStr | None, str, str]:
    """What a request over HTTP brought, as the door left it; whoever asks takes it to the checkpoint."""
    visit = None if ctx.request is None else ctx.request.scope.get(_VISIT)
    if visit is None:
        return None, "http", ""
    visit.at_desk = True
    return visit.knock.credential, "http", visit.knock.id


def is_inside(scope: Scope) -> bool:
    """Whether the request was let in."""
    return _VISIT in scope


class Door:
    """Lets in who has a token and has not asked too often; everybody else is told so, typed and recorded.

    Args:
        inner: the MCP application.
        admit: the checkpoint's first step alone.
        refuse: records a refusal that was decided elsewhere, and words it.
        new_id: makes call ids.
    """

    def __init__(
        self,
        inner: ASGIApp,
        *,
        admit: Callable[[Call], Awaitable[Answer | None]],
        refuse: Callable[[Call, Refused], Awaitable[Answer]],
        new_id: Callable[[], str],
    ) -> None:
        self._inner = inner
        self._admit = admit
        self._refuse = refuse
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        request = Request(scope)
        credential = _bearer(request.headers.getlist("authorization"))
        protocol = request.headers.get("mcp-protocol-version", "")
        knock = Call(Operation.REQUEST, "", {}, credential, "http", protocol, self._new_id())
        refused = await self._admit(knock)
        if refused is not None:
            await _turned_away(refused)(scope, receive, send)
            return
        visit = scope[_VISIT] = _Visit(knock)
        if request.method != "POST":
            # A stream for what the server has to say, or the end of a session: there is neither here.
            await Response(status_code=_METHOD_NOT_ALLOWED, headers={"Allow": "POST"})(scope, receive, send)
            return
        await self._inner(scope, receive, _Watched(visit, self._refuse, scope, receive, send))


class _Watched:
    """The way back of one request: a refusal that no checkpoint has recorded is recorded before it leaves."""

    def __init__(
        self,
        visit: _Visit,
        refuse: Callable[[Call, Refused], Awaitable[Answer]],
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        self._visit = visit
        self._refuse = refuse
        self._scope = scope
        self._receive = receive
        self._send = send
        self._status: int | None = None
        self._media = ""
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if message["status"] < _WRONG or self._visit.at_desk:
                await self._send(message)
                return
            self._status = message["status"]
            found = dict(message.get("headers", ()))
            self._media = found.get(b"content-type", b"").decode("latin-1")
            return
        if self._status is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._record_and_send(self._status)

    async def _record_and_send(self, status: int) -> None:
        answer = await self._refuse(self._visit.knock, _not_taken(status))
        refused = answer.refused
        if refused is not None and refused.rule is not Rule.REQUEST_INVALID:
            # Not even that could be recorded, or whose it is has changed meanwhile.
            await _turned_away(answer)(self._scope, self._receive, self._send)
            return
        said = Response(_without_quotes(self._body), status, media_type=self._media or None)
        await said(self._scope, self._receive, self._send)


def _not_taken(status: int) -> Refused:
    return Refused(
        Rule.REQUEST_INVALID,
        cause=f"the request is not one that the protocol has (status {status})",
        attempted="read a request",
        missing="one JSON-RPC request with the headers of its protocol version",
        next_step="correct the client; repeating the request cannot help",
    )


def _without_quotes(body: bytes) -> bytes:
    """The protocol's error, its message cut to the first line: behind that, what was sent is quoted."""
    try:
        said = json.loads(body)
        said["error"]["message"] = said["error"]["message"].partition("\n")[0]
    except (ValueError, TypeError, LookupError, AttributeError):
        return body
    return json.dumps(said, separators=(",", ":")).encode()


def _bearer(headers: list[str]) -> SecretStr | None:
    """The token of the one Authorization header; two of them are none."""
    if len(headers) != 1:
        return None
    scheme, _, text = headers[0].partition(" ")
    return SecretStr(text.strip()) if scheme.lower() == "bearer" and text.strip() else None


def _turned_away(answer: Answer) -> Response:
    """401 for whoever is not known, 429 for too many requests; 503 when even that could not be recorded."""
    headers = {"Cache-Control": "no-store"}
    refused = answer.refused
    error_class = ErrorClass.AUTHENTICATION if refused is None else refused.error_class
    status = _UNAVAILABLE
    if error_class is ErrorClass.AUTHENTICATION:
        status, headers["WWW-Authenticate"] = _UNAUTHORIZED, 'Bearer realm="fly-gha-status"'
    elif error_class is ErrorClass.RATE_LIMITED:
        status = _TOO_MANY
    if refused is not None and refused.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, ceil(refused.retry_after_s)))
    return JSONResponse(json.loads(answer.text), status_code=status, headers=headers)
