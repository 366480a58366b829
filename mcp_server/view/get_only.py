"""GetOnly: a transport that cannot send anything but a GET to the dispatcher.

This server has no authority by structure, not by good intentions: every client of it is built on this
transport, so a request that could change something never reaches a socket, whoever wrote it. Compressed
answers are not taken: in one of them little may become more than this process can hold.
"""

import httpx

PLAIN = {"Accept-Encoding": "identity"}
"""What a request must say so that its answer is taken."""


class NotSent(httpx.UnsupportedProtocol):
    """The request was not sent: it was no GET, it had a body, or it went elsewhere."""


class Compressed(httpx.TransportError):
    """The answer is compressed although a plain one was asked for."""


class GetOnly(httpx.AsyncBaseTransport):
    """Lets GET requests without a body to one origin pass.

    Args:
        inner: what really sends; closed with this.
        base_url: the dispatcher's; scheme, host and port of every request must be the same.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, base_url: str) -> None:
        self._inner = inner
        self._origin = _origin(httpx.URL(base_url))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it.

        Raises:
            NotSent: it is not what this transport is for.
            Compressed: the answer is not taken.
        """
        if request.method != "GET":
            raise NotSent("only GET is ever sent", request=request)
        if "content-length" in request.headers or "transfer-encoding" in request.headers:
            raise NotSent("a question has no body", request=request)
        if _origin(request.url) != self._origin:
            raise NotSent("only the configured dispatcher is asked", request=request)
        answer = await self._inner.handle_async_request(request)
        if answer.headers.get("content-encoding", "identity").lower() != "identity":
            await answer.aclose()
            raise Compressed("the answer is compressed", request=request)
        return answer

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
