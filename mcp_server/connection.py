"""Connection: one HTTP connection, which may cost this process only so much memory and time.

uvicorn bounds neither the head of a request nor the time in which a peer must send one, and it counts every
open connection against its limit: a few silent ones would keep everybody out, health checks too. Here whoever
owes us bytes has a moment to send them, and whoever does not take their answer loses it.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

# Bytes of a request's line and headers, give or take one read from the socket; a token and all that a proxy
# adds are a tenth of it.
HEAD_MAX = 32 * 1024
# Seconds for one whole request, from the connection or its first byte to its last; a large one has 64 KiB.
RECEIVE_S = 20.0

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class Connection(HttpToolsProtocol):
    """uvicorn's connection with bounds.

    Attributes:
        receive_s: seconds that a peer has for one request.
    """

    receive_s = RECEIVE_S
    _head = 0
    _in_head = False
    _whole = True
    _patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody connected: they owe a request."""
        super().connection_made(transport)
        self._look_at_the_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._be_calm()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or of several."""
        self._head += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._in_head:
            self._head = 0
        elif self._head > HEAD_MAX:
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        self._look_at_the_clock()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._in_head, self._whole = True, False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Its head is there."""
        self._in_head = False
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of it is there."""
        self._whole = True
        super().on_message_complete()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing new came for long; one who has not even taken the last answer is not waited for."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        super().timeout_keep_alive_handler()

    def _look_at_the_clock(self) -> None:
        """Bound the wait for a peer who owes bytes; uvicorn itself does so between two requests only."""
        cycle: RequestResponseCycle | None = self.cycle
        answered = cycle is None or cycle.response_complete
        if self._whole and not (answered and self.timeout_keep_alive_task is None):
            self._be_calm()
        elif self._patience is None:
            self._patience = self.loop.call_later(self.receive_s, self.transport.abort)

    def _be_calm(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
