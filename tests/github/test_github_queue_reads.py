"""Runs, jobs and the delivery log: what the sweeps believe."""

import httpx
import pytest

from runners.model.states import JobState
from runners.upstream.errors import ErrorClass, UpstreamError
from tests.github.wire import NOW

RUNS = "GET /repos/acme/web/actions/runs"
LOG = "GET /app/hook/deliveries"


def run(run_id, **changes):
    return {
        "id": run_id,
        "run_attempt": 2,
        "status": "queued",
        "event": "push",
        "head_branch": "main",
        "created_at": "2027-01-15T08:00:00Z",
        "repository": {"full_name": "acme/web", "private": True},
        "head_repository": {"full_name": "fork/web", "private": False},
        **changes,
    }


def job(job_id, **changes):
    return {
        "id": job_id,
        "run_id": 5,
        "status": "queued",
        "conclusion": None,
        "name": "build",
        "labels": ["Fly-GHA-medium"],
        "created_at": "2027-01-15T08:00:00Z",
        "runner_id": 0,
        "runner_name": "",
        **changes,
    }


async def test_open_runs_are_queued_ones_and_those_with_a_job_under_way(wire, github):
    def runs(request):
        status = request.url.params["status"]
        found = {"queued": [run(9)], "in_progress": [run(3, status="in_progress"), run(9)]}[status]
        return httpx.Response(200, json={"total_count": len(found), "workflow_runs": found})

    wire.on(RUNS, runs)
    found = await github.queued_runs("acme/web")
    assert [(each.id, each.private, each.head_repository) for each in found] == [
        (3, True, "fork/web"),
        (9, True, "fork/web"),
    ]
    assert found[0].created_at == NOW


async def test_a_run_whose_fork_is_deleted_still_reads(wire, github):
    wire.on(RUNS, lambda _: httpx.Response(200, json={"workflow_runs": [run(9, head_repository=None)]}))
    assert (await github.queued_runs("acme/web"))[0].head_repository == ""


async def test_jobs_of_a_run_are_those_of_its_latest_attempt(wire, github):
    wire.on(
        "GET /repos/acme/web/actions/runs/5/jobs",
        httpx.Response(200, json={"total_count": 2, "jobs": [job(11), job(10, status="pending")]}),
    )
    jobs = await github.jobs_of_run("acme/web", 5, private=True)
    assert wire.requests[0].url.params["filter"] == "latest"
    assert [(each.id, each.status, each.private) for each in jobs] == [
        (10, JobState.WAITING, True),
        (11, JobState.QUEUED, True),
    ]
    assert jobs[0].labels == ("fly-gha-medium",)
    assert (jobs[0].runner_id, jobs[0].runner_name, jobs[0].action) == (None, None, "")


async def test_one_job_reads_or_is_not_there(wire, github):
    wire.on("GET /repos/acme/web/actions/jobs/11", httpx.Response(200, json=job(11)), httpx.Response(404))
    one = await github.job("acme/web", 11, private=True)
    assert (one.repository, one.private) == ("acme/web", True)
    assert await github.job("acme/web", 11) is None


async def test_a_job_that_could_not_be_read_is_not_absent(wire, github):
    wire.on("GET /repos/acme/web/actions/jobs/11", httpx.Response(403), httpx.Response(200, json={"id": 11}))
    for error_class in (ErrorClass.REFUSED, ErrorClass.TRY_LATER):
        with pytest.raises(UpstreamError) as caught:
            await github.job("acme/web", 11)
        assert caught.value.error_class is error_class


@pytest.mark.parametrize("repository", ["acme", "acme/web/x", "../x", "acme/..", "acme/web?per_page=1"])
async def test_a_repository_that_is_none_is_never_sent(wire, github, repository):
    with pytest.raises(UpstreamError):
        await github.queued_runs(repository)
    assert wire.requests == []


def delivery(delivery_id, minute, **changes):
    return {
        "id": delivery_id,
        "guid": f"guid-{delivery_id}",
        "delivered_at": f"2027-01-15T08:{minute:02}:00Z",
        "redelivery": False,
        "duration": 0.1,
        "status": "OK",
        "status_code": 202,
        "event": "workflow_job",
        "action": "queued",
        "installation_id": 1,
        "repository_id": None,
        **changes,
    }


@pytest.fixture
def log(wire, tokens):
    """A delivery log of pages of two, newest first, minute by minute."""
    tokens.jwt = "app.jwt"
    entries = [delivery(100 + minute, minute) for minute in range(29, -1, -1)]
    entries[0] |= {"status_code": 0, "status": "timed out", "action": None}

    def page(request):
        start = int(request.url.params.get("cursor", "v0")[1:])
        headers = {}
        if start + 2 < len(entries):
            url = f"https://github.test/api/v3/app/hook/deliveries?per_page=100&cursor=v{start + 2}"
            headers["link"] = f'<{url}>; rel="next", <{url}&x=1>; rel="last"'
        return httpx.Response(200, json=entries[start : start + 2], headers=headers)

    wire.on(LOG, page)
    return entries


async def test_the_log_is_read_back_to_the_asked_time_and_given_oldest_first(wire, github, log):
    page = await github.deliveries(NOW + 25 * 60)
    assert [entry.id for entry in page.deliveries] == [125, 126, 127, 128, 129]
    assert page.next_cursor is None
    assert len(wire.requests) == 3
    assert page.deliveries[-1].arrived is False
    assert page.deliveries[-1].action == ""
    assert page.deliveries[0].arrived is True
    assert wire.requests[0].headers["authorization"] == "Bearer app.jwt"


async def test_a_long_stretch_says_where_to_go_on(github, log):
    first = await github.deliveries(NOW)
    assert [entry.id for entry in first.deliveries] == list(range(110, 130))
    rest = await github.deliveries(NOW, cursor=first.next_cursor)
    assert [entry.id for entry in rest.deliveries] == list(range(100, 110))
    assert rest.next_cursor is None


async def test_without_the_app_key_the_log_is_closed_and_says_so(wire, github):
    assert await github.deliveries_readable() is False
    with pytest.raises(UpstreamError) as caught:
        await github.deliveries(NOW)
    assert caught.value.error_class is ErrorClass.OUR_FAULT
    assert 'credentials = "app"' in caught.value.next_step
    assert wire.requests == []


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'[{"id": 1}]', b"x"])
async def test_a_log_that_cannot_be_read_is_no_log(wire, github, tokens, body):
    tokens.jwt = "app.jwt"
    wire.on(LOG, httpx.Response(200, content=body))
    with pytest.raises(UpstreamError) as caught:
        await github.deliveries(NOW)
    assert "cannot be read" in caught.value.why


async def test_a_delivery_gives_its_payload(wire, github, tokens):
    tokens.jwt = "app.jwt"
    wire.on(
        f"{LOG}/7",
        httpx.Response(200, json={"id": 7, "request": {"headers": {}, "payload": {"action": "x"}}}),
    )
    assert await github.delivery(7) == {"action": "x"}


@pytest.mark.parametrize("request_part", [None, {}, {"payload": None}, {"payload": []}])
async def test_a_delivery_without_payload_cannot_be_read(wire, github, tokens, request_part):
    tokens.jwt = "app.jwt"
    wire.on(f"{LOG}/7", httpx.Response(200, json={"request": request_part}))
    with pytest.raises(UpstreamError):
        await github.delivery(7)
