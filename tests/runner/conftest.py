import shutil
import sys
from pathlib import Path

import pytest
from boot_world import BootWorld

# The programs behind `make pins` and `make image` are scripts, not an installed package.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))


@pytest.fixture
def world():
    world = BootWorld()
    yield world
    world.close()
    shutil.rmtree(world.folder)
