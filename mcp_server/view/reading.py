"""Reading what a dispatcher sent: what is not what it should be is Unreadable, never half believed."""

from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

from mcp_server.caller import Sight
from mcp_server.view.glass import Dated
from runners.wire.status import FleetStatus
from runners.wire.stream import StreamMessage
from runners.wire.times import unix_seconds

REVISION_MAX = 2**63 - 1


class Unreadable(Exception):
    """It is not what a dispatcher sends. The text is ours and quotes nothing."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A status as it arrived.

    Attributes:
        read_at: its ``as_of``, Unix seconds by the dispatcher's clock.
    """

    status: FleetStatus
    read_at: float


M = TypeVar("M", bound=Dated)


def read_answer(body: bytes, model: type[M]) -> tuple[M, float]:
    """An answer and its ``as_of`` in Unix seconds.

    Raises:
        Unreadable: it is no such answer.
    """
    try:
        answer = model.read(body)
    except ValidationError as error:
        raise Unreadable("it is not the answer that was asked for") from error
    return answer, _stamp(answer)


def read_status(body: bytes, sight: Sight) -> Heard:
    """The answer to ``GET /v1/status``.

    Raises:
        Unreadable: it is no status, or shows what was not asked for.
    """
    status, read_at = read_answer(body, FleetStatus)
    _check_narrowed(status, sight)
    return Heard(status, read_at)


def read_message(data: str, sight: Sight) -> tuple[StreamMessage, float]:
    """One event of the stream and its ``as_of`` in Unix seconds.

    Raises:
        Unreadable: it is no such event, or contradicts itself.
    """
    try:
        message = StreamMessage.read(data)
    except ValidationError as error:
        raise Unreadable("it is no message of the stream") from error
    status = message.status
    if (message.kind == "status") != (status is not None):
        raise Unreadable("a status without one, or a heartbeat with one")
    if status is not None:
        if status.revision != message.revision:
            raise Unreadable("two revisions in one message")
        _check_narrowed(status, sight)
        return message, _stamp(status)
    return message, _stamp(message)


def _stamp(answer: Dated) -> float:
    if not 0 <= answer.revision <= REVISION_MAX:
        raise Unreadable("a revision that is none")
    try:
        return unix_seconds(answer.as_of)
    except (ValueError, OverflowError) as error:
        raise Unreadable("a time that is none") from error


def _check_narrowed(status: FleetStatus, sight: Sight) -> None:
    """A dispatcher that does not know the narrowing headers would show everything."""
    if sight.pools and not {pool.name for pool in status.pools} <= set(sight.pools):
        raise Unreadable("it shows pools that were not asked for")
