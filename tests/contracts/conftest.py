"""All scenes are played once for the whole suite."""

import pytest

from tests.contracts.record import Record, play_all


@pytest.fixture(scope="session")
def played() -> tuple[dict[str, Record], list[dict[str, object]]]:
    return play_all()


@pytest.fixture(params=["fly", "github", "infisical"])
def record(request, played) -> Record:
    return played[0][request.param]
