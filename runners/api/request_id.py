"""Request ids: every answer names its exchange by ``X-Request-Id``, and so does what the log says of it.

The caller's own is kept when it is well-formed, so that one id follows a question through several services.
"""

import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from runners.wire.headers import REQUEST_ID_HEADER, REQUEST_ID_PATTERN

ID_BYTES = 8
_WELL_FORMED = re.compile(REQUEST_ID_PATTERN)


class RequestIds:
    """Middleware: gives each call its id and each answer the header; the body passes through as it comes.

    Args:
        app: what answers.
        entropy: gives that many random bytes, for callers who bring no id.
    """

    def __init__(self, app: ASGIApp, entropy: Callable[[int], bytes]) -> None:
        self._app = app
        self._entropy = entropy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the call on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist(REQUEST_ID_HEADER)
        own = len(given) == 1 and _WELL_FORMED.fullmatch(given[0]) is not None
        request_id = given[0] if own else self._entropy(ID_BYTES).hex()

        async def named(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        # Whatever is logged while the call is served, here or further down, names it.
        with bound_contextvars(request_id=request_id):
            await self._app(scope, receive, named)
