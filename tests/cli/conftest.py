import pytest
from cli_world import served

TOGETHER = pytest.mark.xdist_group("cli")


def pytest_collection_modifyitems(items):
    """One world serves all tests of this folder, so they run in one worker."""
    for item in items:
        if "tests/cli/" in item.path.as_posix():
            item.add_marker(TOGETHER)


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    with served(tmp_path_factory.mktemp("fleet")) as up:
        yield up
