"""Catalog: what may be asked here, and which question a call is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp_types import ResourceTemplate

from mcp_server.call import Answer, Call, Operation
from mcp_server.caller import Caller
from mcp_server.refused import Refused
from mcp_server.resources import Template
from mcp_server.rule import Rule
from mcp_server.said import listed
from mcp_server.settings import StatusSettings
from mcp_server.tools.registry import definition
from mcp_server.tools.tool import Tool


@dataclass(frozen=True, slots=True)
class Question:
    """A call that found what it asks for.

    Attributes:
        tool: what answers; a resource's is one, too.
        arguments: as sent, or as the URI has them.
        deep: a resource is read: as a whole and not to the soft budget, and without a structured answer.
    """

    tool: Tool
    arguments: Mapping[str, Any]
    deep: bool = False


class Catalog:
    """The tools and resource templates of this server.

    Args:
        settings: figures for the descriptions.
        tools: in the order in which they are listed.
        templates: likewise.
    """

    def __init__(
        self, settings: StatusSettings, tools: Sequence[Tool], templates: Sequence[Template]
    ) -> None:
        self._tools = {tool.name: tool for tool in tools}
        self._definitions = {tool.name: definition(tool, settings) for tool in tools}
        self._templates = tuple(templates)

    def question(self, call: Call) -> Question | None:
        """What a call asks; None for a list.

        Raises:
            Refused: there is no such tool or resource.
        """
        if call.operation is Operation.CALL_TOOL:
            tool = self._tools.get(call.target)
            if tool is None:
                raise _unknown_tool(self._tools)
            return Question(tool, call.arguments)
        if call.operation is Operation.READ_RESOURCE:
            for template in self._templates:
                arguments = template.match(call.target)
                if arguments is not None:
                    return Question(template.tool, arguments, deep=True)
            raise _unknown_resource(self._templates)
        return None

    def listing(self, operation: Operation, caller: Caller) -> Answer:
        """What this caller may ask: tools, or templates; there are no resources but those of templates."""
        if operation is Operation.LIST_TOOLS:
            return listed(
                [self._definitions[name] for name, tool in self._tools.items() if may(caller, tool)]
            )
        if operation is Operation.LIST_TEMPLATES:
            return listed([_template(each) for each in self._templates if may(caller, each.tool)])
        return listed(())

    def input_schema(self, name: str) -> Mapping[str, Any] | None:
        """A tool's input schema, or None."""
        found = self._definitions.get(name)
        return None if found is None else found.input_schema


def may(caller: Caller, tool: Tool) -> bool:
    """Whether this caller's token has the tool."""
    return tool.scope in caller.scopes and (not caller.tools or tool.name in caller.tools)


def _template(template: Template) -> ResourceTemplate:
    return ResourceTemplate(
        name=template.name,
        title=template.title,
        uri_template=template.uri_template,
        description=template.description,
        mime_type="application/json",
    )


def _unknown_tool(tools: Mapping[str, Tool]) -> Refused:
    return Refused(
        Rule.TOOL_UNKNOWN,
        cause="there is no tool of that name here",
        attempted="call a tool",
        missing=f"one of {', '.join(tools)}",
        next_step="call one of these; none of them changes anything",
    )


def _unknown_resource(templates: Sequence[Template]) -> Refused:
    return Refused(
        Rule.RESOURCE_UNKNOWN,
        cause="there is no resource of that form here",
        attempted="read a resource",
        missing=f"one of the forms {', '.join(each.uri_template for each in templates)}",
        next_step="take the handle from a tool's answer",
    )
