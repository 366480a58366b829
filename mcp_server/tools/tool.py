"""Tool: what one tool is, for the protocol, for the checkpoint and for whoever reads the list of them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from mcp_server.caller import Caller, Scope
from mcp_server.settings import StatusSettings
from mcp_server.stats.summary import StatsSource
from mcp_server.tools.output import Output
from mcp_server.view.glass import Glass

REVISION_MAX = 2**63 - 1


class Arguments(BaseModel):
    """A tool's arguments: an unknown one is a mistake, and nothing is quietly converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


class FleetArguments(Arguments):
    """Arguments of whatever answers about the fleet."""

    min_revision: Annotated[int, Field(ge=0, le=REVISION_MAX)] | None = Field(
        None,
        description="Wait, for a moment, until the fleet is at this revision: for reading one's own writes.",
    )


@dataclass(frozen=True, slots=True)
class Ask:
    """What a tool has to answer with. None of it can change anything.

    Attributes:
        caller: who asks.
        glass: the fleet as this caller may see it.
        stats: this server's own calls.
        settings: the figures of this server.
        now: Unix seconds at which the call began.
    """

    caller: Caller
    glass: Glass
    stats: StatsSource
    settings: StatusSettings
    now: float


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool.

    Attributes:
        name: as agents call it.
        title: as people see it.
        describe: the description, its figures taken from the settings; it says what the tool is not for and
            which tool is.
        scope: what a caller needs.
        arguments: their model.
        output: the answer's model.
        run: makes the answer.
        examples: arguments that make sense, each with the question it answers.
    """

    name: str
    title: str
    describe: Callable[[StatusSettings], str]
    scope: Scope
    arguments: type[Arguments]
    output: type[Output]
    run: Callable[[Ask, Any], Awaitable[Output]]
    examples: tuple[tuple[str, Mapping[str, Any]], ...]
