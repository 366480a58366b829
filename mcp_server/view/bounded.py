"""BoundedEvents: a transport for event streams that ends one whose events grow without end.

An event is held in memory until its empty line comes. A stream that never sends one, or that is compressed
so that little becomes much, must not take this process with it.
"""

from collections.abc import AsyncIterator

import httpx

_ENDS = (b"\n\n", b"\r\n\r\n")
_LONGEST_END = 4


class EventTooLarge(httpx.TransportError):
    """An event is longer than any that a dispatcher sends."""


class BoundedEvents(httpx.AsyncBaseTransport):
    """Counts the bytes since the last event ended.

    Args:
        inner: what really sends; closed with this.
        longest: bytes that one event may have.
    """

    def __init__(self, inner: httpx.AsyncBaseTransport, longest: int) -> None:
        self._inner = inner
        self._longest = longest

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send it; reading the answer raises EventTooLarge where the bound is passed."""
        answer = await self._inner.handle_async_request(request)
        stream = answer.stream
        if not isinstance(stream, httpx.AsyncByteStream):
            raise TypeError(
                f"the inner transport answered with a {type(stream).__name__}, which is not async"
            )
        answer.stream = _Counted(stream, self._longest, request)
        return answer

    async def aclose(self) -> None:
        """Close the inner transport."""
        await self._inner.aclose()


class _Counted(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream, longest: int, request: httpx.Request) -> None:
        self._stream = stream
        self._longest = longest
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size, before = 0, b""
        async for chunk in self._stream:
            # With the end of the chunk before, since an empty line may fall between two.
            joined = before + chunk
            end = max(_end_of_last(joined, mark) for mark in _ENDS)
            size = len(joined) - end if end else size + len(chunk)
            if size > self._longest:
                raise EventTooLarge(f"an event is longer than {self._longest} bytes", request=self._request)
            before = joined[-(_LONGEST_END - 1) :]
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


def _end_of_last(data: bytes, mark: bytes) -> int:
    """Where the last ``mark`` in ``data`` ends; 0 without one."""
    at = data.rfind(mark)
    return 0 if at < 0 else at + len(mark)
