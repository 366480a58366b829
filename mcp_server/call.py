"""Call: one question of one caller, whatever brought it here, and Answer, what goes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from mcp_server.refused import Refused


class Operation(StrEnum):
    """The protocol's methods that pass the checkpoint, spelled as MCP spells them, and all else."""

    CALL_TOOL = "tools/call"
    READ_RESOURCE = "resources/read"
    LIST_TOOLS = "tools/list"
    LIST_RESOURCES = "resources/list"
    LIST_TEMPLATES = "resources/templates/list"
    REQUEST = "http/request"
    """A request over HTTP as such, before anybody has read its method."""
    MESSAGE = "mcp/message"
    """A message whose method is none of these; its target is the method."""


@dataclass(frozen=True, slots=True)
class Call:
    """One question.

    Attributes:
        operation: the method.
        target: the tool's name or the resource's URI, as sent; "" for lists. Other people's text.
        arguments: as sent. Other people's text.
        credential: as presented, without its scheme.
        transport: ``http`` or ``stdio``.
        protocol: the protocol version spoken, such as ``2025-11-25``.
        id: names this call in the audit record and to the dispatcher.
    """

    operation: Operation
    target: str
    arguments: Mapping[str, Any]
    credential: SecretStr | None
    transport: str
    protocol: str
    id: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back for one Call.

    Attributes:
        text: compact JSON, which is what a model reads; of a refusal the refusal's fields.
        body: the structured answer, the same as ``text``; None for a refusal and for lists.
        refused: the refusal, or None for an answer.
        listed: what a list operation lists, in the protocol's own types.
        size: bytes of all that goes back, the protocol's frame left out.
    """

    text: str
    body: Mapping[str, Any] | None = None
    refused: Refused | None = None
    listed: Sequence[Any] = ()
    size: int = 0
