"""Call: one question of one caller, whatever brought it here, and Answer, what goes back."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pydantic import SecretStr

from mcp_server.refused import Refused


class Operation(StrEnum):
    """The protocol's methods that pass the checkpoint, spelled as MCP spells them."""

    CALL_TOOL = "tools/call"
    READ_RESOURCE = "resources/read"
    LIST_TOOLS = "tools/list"
    LIST_RESOURCES = "resources/list"
    LIST_TEMPLATES = "resources/templates/list"


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
        body: the structured answer, as JSON would have it; of a refusal the refusal's fields.
        text: the same as compact JSON, which is what a model reads.
        refused: the refusal, or None for an answer.
        result: what the operation really returns to the protocol when that is no JSON body (lists).
    """

    body: Mapping[str, Any]
    text: str
    refused: Refused | None = None
    result: Any = field(default=None)
