"""Both protocol eras end in the same handlers, and none of these decides anything."""

import contextlib

import mcp_types
import pytest
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError

from mcp_server.call import Operation
from mcp_server.protocol import INSTRUCTIONS, build_server
from mcp_server.refused import Refused
from mcp_server.rule import Rule
from mcp_server.said import listed, refusal

ERAS = ("legacy", "2026-07-28")
SCHEMA = {"type": "object", "properties": {"pool": {"type": "string"}}, "additionalProperties": False}
TOOL = mcp_types.Tool(name="fleet_overview", input_schema=SCHEMA)


class Desk:
    """Answers as it is told to, and remembers what it was asked."""

    def __init__(self, answer=None):
        self.calls, self.refused = [], []
        self._answer = answer or listed([TOOL])

    async def answer(self, call):
        self.calls.append(call)
        return self._answer

    async def refuse(self, call, refused):
        self.refused.append((call, refused))
        return refusal(refused)


@contextlib.asynccontextmanager
async def speaking(desk, era):
    brought = (None, "stdio", "call-1")
    server = build_server(desk, lambda _ctx: brought, version="1", input_schema=lambda _: SCHEMA)
    async with Client(server, mode=era) as client:
        yield client


def refused(rule, **fields):
    words = {"cause": "it is so", "attempted": "call a tool", "next_step": "wait"}
    return refusal(Refused(rule, **{**words, **fields}))


@pytest.fixture(params=ERAS)
def era(request):
    return request.param


async def test_a_call_reaches_the_desk_with_its_name_arguments_transport_and_id(era):
    desk = Desk(refused(Rule.NOT_FOUND))
    async with speaking(desk, era) as client:
        await client.call_tool("pool_capacity", {"pool": "gha-small"})
    call = desk.calls[-1]
    assert (call.operation, call.target, call.transport) == (Operation.CALL_TOOL, "pool_capacity", "stdio")
    assert (call.arguments, call.id) == ({"pool": "gha-small"}, "call-1")
    assert call.protocol == (era if era != "legacy" else "2025-11-25")


async def test_a_refused_call_is_a_result_that_says_so_and_has_no_structured_answer(era):
    desk = Desk(refused(Rule.CALLER_RATE, retry_after_s=2.5))
    async with speaking(desk, era) as client:
        result = await client.call_tool("fleet_overview", {})
    assert result.is_error
    assert result.structured_content is None
    assert '"rule":"caller_rate"' in result.content[0].text
    assert '"retry_after_s":2.5' in result.content[0].text


async def test_a_refused_read_is_a_protocol_error_with_the_same_fields(era):
    desk = Desk(refused(Rule.NOT_FOUND))
    async with speaking(desk, era) as client:
        with pytest.raises(MCPError) as caught:
            await client.read_resource("fleet://jobs/7")
    assert caught.value.code == -32602
    assert caught.value.data["rule"] == "not_found"
    assert desk.calls[-1].target == "fleet://jobs/7"


async def test_every_list_takes_the_checkpoint(era):
    desk = Desk()
    async with speaking(desk, era) as client:
        tools = await client.list_tools()
        desk._answer = listed(())
        await client.list_resources()
        await client.list_resource_templates()
    assert [tool.name for tool in tools.tools] == ["fleet_overview"]
    asked = [call.operation for call in desk.calls]
    assert asked == [Operation.LIST_TOOLS, Operation.LIST_RESOURCES, Operation.LIST_TEMPLATES]


async def test_nothing_is_offered_that_could_change_or_push_anything(era):
    async with speaking(Desk(), "auto" if era != "legacy" else era) as client:
        offered = client.server_capabilities
    assert offered.tools is not None
    assert offered.resources is not None
    assert not offered.resources.subscribe
    assert offered.prompts is None
    assert offered.completions is None
    assert offered.logging is None


async def test_the_instructions_hold_no_figure_that_could_grow_old():
    assert not any(char.isdigit() for char in INSTRUCTIONS)
