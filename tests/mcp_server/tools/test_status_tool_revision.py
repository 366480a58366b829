"""An answer made of several readings claims the oldest of them, so the later ones may not be older."""

import pytest

ASKED = (
    ("pool_capacity", {"pool": "gha-small"}),
    ("queue_list", {"pool": "gha-small"}),
    ("job_explain", {"job": "https://github.com/acme/api/actions/runs/10"}),
    ("capacity_check", {"labels": ["fly-gha-small"]}),
)


@pytest.fixture
async def asked(tools):
    await tools.fleet.add_job(1)
    await tools.fleet.plan()
    return tools


@pytest.mark.parametrize(("name", "arguments"), ASKED)
async def test_every_reading_of_a_tool_is_at_least_at_the_revision_that_it_answers(asked, name, arguments):
    answer = await asked.call(name, **arguments, min_revision=1)
    assert len(asked.window.wished) > 1
    assert [wished for _, wished in asked.window.wished[1:]] == [answer["revision"]] * (
        len(asked.window.wished) - 1
    )
    assert asked.window.wished[0][1] == 1


@pytest.mark.parametrize("uri", ["fleet://pools/gha-small", "fleet://jobs/1"])
async def test_every_reading_of_a_resource_too(asked, uri):
    answer = await asked.read(f"{uri}?min_revision=1")
    first, *others = [wished for _, wished in asked.window.wished]
    assert first == 1
    assert others
    assert set(others) == {answer["revision"]}


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("fleet_overview", {}), ("runner_history", {"runner": "r-1"}), ("incident_list", {}),
     ("event_search", {}), ("usage_summary", {}), ("queue_list", {}), ("job_explain", {"job": 1})],
)  # fmt: skip
async def test_the_revision_that_was_asked_for_is_asked_of_the_dispatcher(asked, name, arguments):
    await asked.fleet.add_runner("r-1")
    await asked.call(name, **arguments, min_revision=1)
    assert [wished for _, wished in asked.window.wished] == [1]
