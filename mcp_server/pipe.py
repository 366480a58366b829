"""Pipe: standard input and output, between the SDK's reading of lines and its server.

The SDK passes over a line that is no message without a word. Here its sender gets the protocol's error for it
and it has its record, like every other bad request of a known caller.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp.shared.message import SessionMessage
from mcp_types import PARSE_ERROR, ErrorData, JSONRPCError

from mcp_server.call import Answer, Call, Operation
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.said import fields

Incoming = MemoryObjectReceiveStream[SessionMessage | Exception]


class Lines(Protocol):
    """What the SDK made of each line."""

    def __aiter__(self) -> AsyncIterator[SessionMessage | Exception]:
        """A message, or why it is none."""


class Out(Protocol):
    """Where messages go."""

    async def send(self, item: SessionMessage, /) -> None:
        """Send one."""


@asynccontextmanager
async def readable(
    lines: Lines, out: Out, *, refuse: Callable[[Call, Refused], Awaitable[Answer]], new_id: Callable[[], str]
) -> AsyncIterator[Incoming]:
    """The messages among the lines, as long as there are any.

    Args:
        lines: see there.
        out: where the errors for all others go.
        refuse: records a refusal, and words it.
        new_id: makes call ids.
    """
    inward, incoming = anyio.create_memory_object_stream[SessionMessage | Exception](0)

    async def pass_on() -> None:
        async with inward:
            async for item in lines:
                if isinstance(item, SessionMessage):
                    await inward.send(item)
                    continue
                call = Call(Operation.MESSAGE, "", {}, None, "stdio", "", new_id())
                refused = _no_message()
                answer = await refuse(call, refused)
                await out.send(_error(answer.refused or refused))

    async with anyio.create_task_group() as group, incoming:
        group.start_soon(pass_on)
        yield incoming
        group.cancel_scope.cancel()


def _no_message() -> Refused:
    return Refused(
        Rule.REQUEST_INVALID,
        cause="the line is no JSON-RPC message",
        attempted="read a message",
        missing="one JSON-RPC message on a line of its own",
        next_step="correct the client; repeating the line cannot help",
    )


def _error(refused: Refused) -> SessionMessage:
    error = ErrorData(code=PARSE_ERROR, message=str(refused), data=fields(refused))
    return SessionMessage(JSONRPCError(jsonrpc="2.0", id=None, error=error))
