import shutil

import pytest
from boot_world import BootWorld


@pytest.fixture
def world():
    world = BootWorld()
    yield world
    world.close()
    shutil.rmtree(world.folder)
