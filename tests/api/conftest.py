import pytest
from api_world import World, settings

from tests.migrated import migrated_store


@pytest.fixture
async def open_world():
    """Makes a World; several may live at once, each with its own store."""
    opened = []

    async def make(**changes):
        world = World(migrated_store(), settings(**changes))
        opened.append(world)
        return world

    yield make
    for world in opened:
        await world.client.aclose()
        await world.store.close()


@pytest.fixture
async def world(open_world):
    return await open_world()
