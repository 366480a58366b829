import sys
from pathlib import Path

import pytest

# The real dispatcher API over a real store, as its own tests use it.
sys.path.insert(0, str(Path(__file__).parents[2] / "api"))

from status_tool_world import ToolWorld


@pytest.fixture
async def open_tools():
    """Makes a ToolWorld; several may live at once."""
    opened = []

    async def make(**changes):
        world = await ToolWorld.open(**changes)
        opened.append(world)
        return world

    yield make
    for world in opened:
        await world.close()


@pytest.fixture
async def tools(open_tools):
    return await open_tools()
