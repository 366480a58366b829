"""queue_list and job_explain."""

import pytest
from api_world import NOW
from status_tool_world import tokens

from mcp_server.refused import Refused
from mcp_server.rule import Rule
from runners.model.reason import Reason
from runners.model.states import JobState, RunnerState

RUN = "https://github.com/acme/api/actions/runs/70"


async def refused(tools, name, **arguments):
    with pytest.raises(Refused) as error:
        await tools.call(name, **arguments)
    return error.value


async def fill(tools, number):
    for each in range(1, number + 1):
        await tools.fleet.add_job(each, accepted_at=NOW - 500 + each, queued_at=NOW - 500 + each)
    await tools.fleet.plan()


async def test_the_queue_is_oldest_first_with_reason_position_and_wait(tools):
    await fill(tools, 3)
    answer = await tools.call("queue_list")
    assert [job["id"] for job in answer["jobs"]] == [1, 2, 3]
    assert [job["position"] for job in answer["jobs"]] == [1, 2, 3]
    assert answer["jobs"][0]["reason"] == "supply_on_its_way"
    assert answer["jobs"][2]["reason"] == "pool_at_max"
    assert answer["jobs"][0]["waited_s"] == 499.0
    assert answer["total"] == 3


async def test_a_long_queue_is_cut_to_the_budget_and_the_cursor_reaches_every_job_once(tools):
    await fill(tools, 120)
    seen, cursor, pages = [], None, 0
    while pages < 50:
        answer = await tools.call("queue_list", limit=100, **({} if cursor is None else {"cursor": cursor}))
        assert tokens(answer) <= tools.settings.answer_soft_tokens
        assert answer["total"] == 120
        seen += [job["id"] for job in answer["jobs"]]
        pages, cursor = pages + 1, answer.get("next_cursor")
        if cursor is None:
            break
    assert seen == list(range(1, 121))
    assert pages > 2


async def test_the_queue_is_filtered_by_repository_pool_and_label(tools):
    await tools.fleet.add_job(1)
    await tools.fleet.add_job(2, repository="acme/web", pool="gha-web", labels=("web",))
    await tools.fleet.add_job(3, state=JobState.IN_PROGRESS)
    await tools.fleet.plan()
    for filters, ids in (
        ({"repository": "acme/web"}, [2]),
        ({"pool": "gha-web"}, [2]),
        ({"pool": "web"}, [2]),
        ({"label": "web"}, [2]),
        ({"repository": "other/one"}, []),
    ):
        answer = await tools.call("queue_list", **filters)
        assert ([job["id"] for job in answer["jobs"]], answer["total"]) == (ids, len(ids))


async def test_an_unknown_pool_is_refused_with_the_nearest_names_and_none_that_is_hidden(tools):
    await tools.fleet.plan()
    error = await refused(tools, "queue_list", pool="gha-smal")
    assert error.rule is Rule.NOT_FOUND
    assert "gha-small" in error.next_step
    assert "gha-smal " not in str(error)
    tools.sees(repositories=("acme/*",))
    hidden = await refused(tools, "queue_list", pool="globex-pool")
    assert "globex" not in str(hidden)


async def test_another_owners_jobs_are_in_no_row_and_no_total(tools):
    await tools.fleet.add_job(1)
    await tools.fleet.add_job(2, repository="globex/api", pool="globex-pool", labels=("globex",))
    await tools.fleet.plan()
    tools.sees(repositories=("acme/*",))
    answer = await tools.call("queue_list")
    assert (answer["total"], [job["id"] for job in answer["jobs"]]) == (1, [1])
    hidden = await refused(tools, "job_explain", job=2)
    absent = await refused(tools, "job_explain", job=99)
    assert str(hidden) == str(absent)


async def test_a_job_says_why_where_when_and_how_sure(tools):
    await fill(tools, 3)
    job = (await tools.call("job_explain", job=1))["job"]
    assert job["why"]["reason"] == "supply_on_its_way"
    assert (job["position"], job["waited_s"]) == (1, 499.0)
    assert job["expected"]["confidence"] == "low"
    assert job["expected"]["in_s"] > 0
    assert job["handle"] == "fleet://jobs/1"
    held = (await tools.call("job_explain", job=3))["job"]
    assert held["why"]["reason"] == "pool_at_max"
    assert "start" not in held["expected"]


async def test_a_finished_job_shows_its_phases_and_how_long_it_ran(tools):
    await tools.fleet.add_runner("r-1", state=RunnerState.BUSY, busy_at=NOW - 20, job_id=1)
    await tools.fleet.add_job(
        1, state=JobState.COMPLETED, conclusion="success", runner_name="r-1", in_progress_at=NOW - 20,
        completed_at=NOW - 5,
    )  # fmt: skip
    job = (await tools.call("job_explain", job=1))["job"]
    assert (job["state"], job["conclusion"], job["runner"], job["ran_s"]) == (
        "completed",
        "success",
        "r-1",
        15.0,
    )
    assert [phase["name"] for phase in job["phases"]] == [
        "accepted", "requested", "started", "claimed", "in_progress", "completed",
    ]  # fmt: skip
    assert "why" not in job


@pytest.mark.parametrize(
    "job",
    [7, "7", "fleet://jobs/7", f"{RUN}/job/7", f"{RUN}/jobs/7", f"{RUN}/attempts/2/job/7",
     f"{RUN}/job/7?pr=4#step:3:1", f" {RUN}/job/7 ", "http://ghe.example:8443/acme/api/actions/runs/70/job/7"],
)  # fmt: skip
async def test_a_job_is_found_by_id_handle_or_address(tools, job):
    await fill(tools, 7)
    answer = await tools.call("job_explain", job=job)
    assert (answer["job"]["id"], answer["run_jobs"]) == (7, [])


@pytest.mark.parametrize("run", [RUN, f"{RUN}/attempts/1", f"{RUN}/", 70])
async def test_a_run_explains_its_worst_job_and_lists_the_others_worst_first(tools, run):
    shared = {"run_id": 70}
    await tools.fleet.add_job(1, **shared, state=JobState.COMPLETED, conclusion="success")
    await tools.fleet.add_job(2, **shared, state=JobState.IN_PROGRESS)
    await tools.fleet.add_job(3, **shared)
    await tools.fleet.add_job(4, **shared, state=JobState.WAITING, queued_at=None)
    await tools.fleet.add_job(5, **shared, refused=Reason.LABELS_UNKNOWN, pool=None)
    await tools.fleet.add_job(6, **shared, state=JobState.COMPLETED, lost=Reason.MACHINE_LOST)
    await tools.fleet.add_job(8)
    await tools.fleet.plan()
    answer = await tools.call("job_explain", job=run)
    assert [job["id"] for job in answer["run_jobs"]] == [5, 6, 3, 4, 2, 1]
    assert answer["run_jobs_total"] == 6
    assert (answer["job"]["id"], answer["job"]["why"]["reason"]) == (5, "labels_unknown")


async def test_a_run_of_a_great_matrix_is_cut_to_the_budget_and_the_cursor_goes_on(tools):
    for number in range(1, 101):
        await tools.fleet.add_job(number, run_id=7000)
    await tools.fleet.plan()
    seen, cursor = [], None
    while True:
        answer = await tools.call("job_explain", job=7000, **({} if cursor is None else {"cursor": cursor}))
        assert tokens(answer) <= tools.settings.answer_soft_tokens
        seen += [job["id"] for job in answer["run_jobs"]]
        cursor = answer.get("next_cursor")
        if cursor is None:
            break
    assert sorted(seen) == list(range(1, 101))


async def test_an_address_that_names_another_repository_finds_nothing(tools):
    await fill(tools, 7)
    for job in (
        "https://github.com/mallory/api/actions/runs/70/job/7",
        "https://github.com/mallory/api/actions/runs/70",
    ):
        error = await refused(tools, "job_explain", job=job)
        assert error.rule is Rule.NOT_FOUND
        assert "mallory" not in str(error)


@pytest.mark.parametrize(
    "job",
    ["mallory", "0", "9" * 19, "https://github.com/acme/api", "https://github.com/acme/api/pull/7", "fleet://pools/7",
     "javascript:alert(7)", "7\n8", RUN + "/job/0"],
)  # fmt: skip
async def test_what_names_neither_a_job_nor_a_run_is_refused_and_never_repeated(tools, job):
    error = await refused(tools, "job_explain", job=job)
    assert error.rule is Rule.ARGUMENT_INVALID
    assert "mallory" not in str(error)
