"""Trees of the images, one of each for all tests."""

import pytest

from tests.machines.images import DISPATCHER, PUBLISHER, STATUS, tree


@pytest.fixture(scope="session")
def status_image(tmp_path_factory):
    return tree(STATUS, tmp_path_factory.mktemp("status-image"))


@pytest.fixture(scope="session")
def dispatcher_image(tmp_path_factory):
    return tree(DISPATCHER, tmp_path_factory.mktemp("dispatcher-image"))


@pytest.fixture(scope="session")
def publisher_image(tmp_path_factory):
    return tree(PUBLISHER, tmp_path_factory.mktemp("publisher-image"))
