"""The ten tools, in the order in which they are listed, and how the protocol defines one."""

from mcp_types import Tool as Definition
from mcp_types import ToolAnnotations

from mcp_server.settings import StatusSettings
from mcp_server.tools.capacity_check import CAPACITY_CHECK
from mcp_server.tools.event_search import EVENT_SEARCH
from mcp_server.tools.fleet_overview import FLEET_OVERVIEW
from mcp_server.tools.incident_list import INCIDENT_LIST
from mcp_server.tools.job_explain import JOB_EXPLAIN
from mcp_server.tools.pool_capacity import POOL_CAPACITY
from mcp_server.tools.queue_list import QUEUE_LIST
from mcp_server.tools.runner_history import RUNNER_HISTORY
from mcp_server.tools.schema import input_schema, output_schema
from mcp_server.tools.server_stats import SERVER_STATS
from mcp_server.tools.tool import Tool
from mcp_server.tools.usage_summary import USAGE_SUMMARY

TOOLS: tuple[Tool, ...] = (
    FLEET_OVERVIEW,
    POOL_CAPACITY,
    QUEUE_LIST,
    JOB_EXPLAIN,
    CAPACITY_CHECK,
    RUNNER_HISTORY,
    INCIDENT_LIST,
    EVENT_SEARCH,
    USAGE_SUMMARY,
    SERVER_STATS,
)


def definition(tool: Tool, settings: StatusSettings) -> Definition:
    """One tool: it reads, repeating it does no harm, and its world is this fleet alone."""
    return Definition(
        name=tool.name,
        title=tool.title,
        description=tool.describe(settings),
        input_schema=input_schema(tool.arguments, tuple(arguments for _, arguments in tool.examples)),
        output_schema=output_schema(tool.output),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=False,
        ),
    )
