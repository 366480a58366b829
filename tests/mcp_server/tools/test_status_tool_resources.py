import pytest
from api_world import NOW
from status_tool_world import TOOL

from mcp_server.refused import Refused
from mcp_server.resources import TEMPLATES, JobAsked
from runners.model.states import JobState, RunnerState


def matches(uri):
    return [(template.name, template.match(uri)) for template in TEMPLATES if template.match(uri) is not None]


def test_a_handle_names_one_resource_and_may_ask_for_a_revision():
    assert matches("fleet://pools/gha-small") == [("pool", {"pool": "gha-small"})]
    assert matches("fleet://jobs/7?min_revision=12") == [("job", {"job": "7", "min_revision": 12})]
    assert matches("fleet://runners/r-1") == [("runner", {"runner": "r-1"})]


@pytest.mark.parametrize(
    "uri",
    ["fleet://pools/", "fleet://pools/a/b", "fleet://pools/../tokens", "fleet://jobs/7?min_revision=x",
     "fleet://jobs/7?other=1", "fleet://jobs/7#x", "fleet://tokens/1", "http://pools/a", "fleet://pools/a b",
     "fleet://pools/" + "x" * 400, ""],
)  # fmt: skip
def test_whatever_else_is_no_resource(uri):
    assert matches(uri) == []


def test_a_resource_needs_what_the_tool_of_its_handles_needs():
    for template in TEMPLATES:
        assert template.tool.scope is TOOL[template.tool.name].scope


async def test_a_pool_is_read_with_its_queue_and_its_runners(tools):
    await tools.fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=9)
    for number in range(1, 4):
        await tools.fleet.add_job(number)
    await tools.fleet.plan()
    answer = await tools.read("fleet://pools/gha-small")
    assert answer["pool"]["handle"] == "fleet://pools/gha-small"
    assert ([job["id"] for job in answer["queue"]], answer["queue_total"]) == ([1, 2, 3], 3)
    assert [runner["name"] for runner in answer["runners"]] == ["r-1"]


async def test_a_job_is_read_with_its_events_oldest_first(tools):
    await tools.fleet.add_job(7, state=JobState.QUEUED)
    await tools.fleet.plan()
    answer = await tools.read("fleet://jobs/7")
    assert answer["job"]["id"] == 7
    assert [event["verb"] for event in answer["events"]] == ["accepted"]


async def test_a_runner_is_read_as_a_whole(tools):
    await tools.fleet.add_runner("r-1")
    answer = await tools.read("fleet://runners/r-1")
    assert len(answer["events"]) == answer["events_total"] == 2


async def test_what_is_hidden_is_not_found_like_what_is_not_there(tools):
    await tools.fleet.add_job(1, repository="globex/api", pool="globex-pool", labels=("globex",))
    await tools.fleet.add_runner("r-9", pool="globex-pool", scope="orgs/globex")
    await tools.fleet.plan()
    tools.sees(repositories=("acme/*",))
    for hidden, absent in (
        ("fleet://pools/globex-pool", "fleet://pools/xyzzyxyzzy"),
        ("fleet://jobs/1", "fleet://jobs/2"),
        ("fleet://runners/r-9", "fleet://runners/r-8"),
    ):
        said = []
        for uri in (hidden, absent):
            with pytest.raises(Refused) as refused:
                await tools.read(uri)
            said.append(str(refused.value))
        assert said[0] == said[1]


def test_digits_of_another_script_are_no_job_and_no_bug():
    # A digit that is younger than this Python's tables.
    with pytest.raises(ValueError, match="pattern"):
        JobAsked(job="\U0001e4f1")
