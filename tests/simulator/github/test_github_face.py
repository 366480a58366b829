"""GitHub's paths, statuses and headers; the contract tests hold the shapes against the published spec."""

import asyncio
import contextlib
import json

import httpx
import pytest

from simulator.github.face import build_app

BASE = "http://127.0.0.1:8002"


@pytest.fixture
async def face(world):
    """A client of the face; the courier is not running, so webhooks move only when a test says so."""
    transport = httpx.ASGITransport(build_app(world.sim))
    async with httpx.AsyncClient(transport=transport, base_url=BASE) as client:
        yield client


@pytest.fixture
def app_headers(world):
    return {"Authorization": f"Bearer {world.app_jwt()}"}


@pytest.fixture
def headers(world):
    return {"Authorization": f"Bearer {world.token()}"}


WISH = {"name": "r1", "runner_group_id": 1, "labels": ["self-hosted", "fly"], "work_folder": "_work"}


async def test_an_app_finds_its_installation_and_mints_a_narrowed_token(face, world, app_headers):
    found = (await face.get("/orgs/acme/installation", headers=app_headers)).json()
    assert found["account"]["login"] == "acme"
    answer = await face.post(
        f"/app/installations/{found['id']}/access_tokens",
        headers=app_headers,
        json={"repositories": ["web"], "permissions": {"actions": "read"}},
    )
    assert answer.status_code == 201
    body = answer.json()
    assert body["repository_selection"] == "selected"
    assert [repo["full_name"] for repo in body["repositories"]] == ["acme/web"]
    assert body["expires_at"] == "2026-09-21T15:13:20Z"
    token = {"Authorization": f"token {body['token']}"}
    assert (await face.get("/repos/acme/web/actions/runs", headers=token)).status_code == 200
    assert (await face.get("/repos/acme/api/actions/runs", headers=token)).status_code == 404
    assert (await face.get("/orgs/acme/actions/runners", headers=token)).status_code == 403


async def test_without_a_credential_nothing_but_meta_is_answered(face):
    assert (await face.get("/meta")).status_code == 200
    for path in ("/app", "/orgs/acme/actions/runners", "/repos/acme/web/actions/runs", "/rate_limit"):
        answer = await face.get(path)
        assert (answer.status_code, answer.json()["status"]) == (401, "401"), path
    basic = await face.get("/app", headers={"Authorization": "Basic abc"})
    assert basic.json()["message"] == "Bad credentials"


async def test_a_jit_runner_is_made_found_by_name_and_deleted(face, headers):
    made = await face.post("/orgs/acme/actions/runners/generate-jitconfig", headers=headers, json=WISH)
    assert made.status_code == 201
    runner = made.json()["runner"]
    assert (runner["os"], runner["status"], runner["busy"]) == ("unknown", "offline", False)
    assert [label["type"] for label in runner["labels"]] == ["read-only", "custom"]
    again = await face.post("/orgs/acme/actions/runners/generate-jitconfig", headers=headers, json=WISH)
    assert again.status_code == 409
    listed = (await face.get("/orgs/acme/actions/runners", headers=headers, params={"name": "r1"})).json()
    assert (listed["total_count"], listed["runners"][0]["id"]) == (1, runner["id"])
    where = f"/orgs/acme/actions/runners/{runner['id']}"
    assert (await face.get(where, headers=headers)).status_code == 200
    assert (await face.delete(where, headers=headers)).status_code == 204
    assert (await face.delete(where, headers=headers)).status_code == 404


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"name": "a:b"}, 422),
        ({"labels": []}, 422),
        ({"runner_group_id": "1"}, 422),
        ({"runner_group_id": 99}, 404),
    ],
)
async def test_a_wrong_mint_is_answered_like_github_does(face, headers, changed, status):
    answer = await face.post(
        "/orgs/acme/actions/runners/generate-jitconfig", headers=headers, json={**WISH, **changed}
    )
    assert answer.status_code == status
    assert set(answer.json()) >= {"message", "documentation_url"}


async def test_a_body_that_is_no_json_is_a_400(face, headers):
    answer = await face.post("/orgs/acme/actions/runners/generate-jitconfig", headers=headers, content=b"{")
    assert answer.status_code == 400


async def test_lists_are_paged_with_links(face, world, headers):
    for number in range(5):
        world.jit(f"r{number}")
    first = await face.get("/orgs/acme/actions/runners", headers=headers, params={"per_page": 2})
    assert [runner["name"] for runner in first.json()["runners"]] == ["r0", "r1"]
    assert first.json()["total_count"] == 5
    second = await face.get(first.links["next"]["url"], headers=headers)
    assert [runner["name"] for runner in second.json()["runners"]] == ["r2", "r3"]
    last = await face.get(second.links["last"]["url"], headers=headers)
    assert "next" not in last.links


async def test_every_answer_tells_what_is_left_of_the_limit(face, headers):
    answer = await face.get("/orgs/acme/actions/runner-groups", headers=headers)
    assert answer.headers["x-ratelimit-remaining"] == "4999"
    assert [group["name"] for group in answer.json()["runner_groups"]] == [
        "Default",
        "fleet",
        "only-web",
        "open",
    ]
    rate = (await face.get("/rate_limit", headers=headers)).json()["rate"]
    assert (rate["limit"], rate["used"]) == (5000, 1)


async def test_a_burst_of_writes_is_told_to_wait(face, headers):
    path = "/orgs/acme/actions/runners/registration-token"
    answers = [await face.post(path, headers=headers) for _ in range(181)]
    assert {answer.status_code for answer in answers[:180]} == {201}
    assert answers[180].status_code in {403, 429}
    assert int(answers[180].headers["retry-after"]) >= 1


async def test_a_mint_fails_with_502_when_told_so_and_makes_nothing(face, world, headers):
    await face.post("/_sim/faults", json={"kind": "mint_5xx", "match": {"name": "r1"}})
    answer = await face.post("/orgs/acme/actions/runners/generate-jitconfig", headers=headers, json=WISH)
    assert answer.status_code == 502
    assert world.sim.registrations.all() == []


async def test_a_lost_mint_answer_leaves_a_runner_behind(face, world, headers):
    await face.post("/_sim/faults", json={"kind": "lost_mint_answer"})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.2):
            await face.post("/orgs/acme/actions/runners/generate-jitconfig", headers=headers, json=WISH)
    assert [runner.name for runner in world.sim.registrations.all()] == ["r1"]


async def test_a_queue_sweep_finds_queued_runs_and_their_jobs(face, world, headers):
    queued = await face.post(
        "/_sim/runs",
        json={
            "repository": "acme/web",
            "jobs": [{"name": "build", "labels": ["fly"]}],
            "event": "merge_group",
        },
    )
    run_id, (job_id,) = queued.json()["run_id"], queued.json()["job_ids"]
    runs = (await face.get("/repos/acme/web/actions/runs?status=queued", headers=headers)).json()
    assert [run["id"] for run in runs["workflow_runs"]] == [run_id]
    assert (await face.get("/repos/acme/web/actions/runs?status=completed", headers=headers)).json()[
        "total_count"
    ] == 0
    jobs = (await face.get(f"/repos/acme/web/actions/runs/{run_id}/jobs", headers=headers)).json()
    assert [(job["id"], job["status"], job["runner_name"]) for job in jobs["jobs"]] == [
        (job_id, "queued", None)
    ]
    assert (await face.get(f"/repos/acme/api/actions/jobs/{job_id}", headers=headers)).status_code == 404
    assert (await face.post(f"/_sim/jobs/{job_id}/cancel")).json()["conclusion"] == "cancelled"
    job = (await face.get(f"/repos/acme/web/actions/jobs/{job_id}", headers=headers)).json()
    assert (job["conclusion"], job["runner_id"], job["runner_name"]) == ("cancelled", 0, "")


@pytest.mark.parametrize(
    ("created", "count"),
    [(">=2026-09-21", 1), (">2026-09-22", 0), ("2026-09-21", 1), ("*..2026-09-20", 0), ("nonsense", None)],
)
async def test_runs_are_filtered_by_the_day_of_their_creation(face, world, headers, created, count):
    world.queue()
    answer = await face.get("/repos/acme/web/actions/runs", headers=headers, params={"created": created})
    assert answer.status_code == (422 if count is None else 200)
    assert answer.json().get("total_count") == count


async def test_the_delivery_log_shows_and_redelivers(face, world, app_headers):
    world.queue("one", "two")
    world.wait(10)
    world.webhooks()
    page = await face.get("/app/hook/deliveries", headers=app_headers, params={"per_page": 1})
    (item,) = page.json()
    assert "cursor=v1_" in page.links["next"]["url"]
    detail = (await face.get(f"/app/hook/deliveries/{item['id']}", headers=app_headers)).json()
    assert detail["request"]["payload"]["action"] == "queued"
    assert (
        await face.post(f"/app/hook/deliveries/{item['id']}/attempts", headers=app_headers)
    ).status_code == 202
    assert (await face.get("/app/hook/deliveries/1", headers=app_headers)).status_code == 404


async def test_what_is_not_served_is_not_found_in_githubs_shape(face, headers):
    answer = await face.get("/orgs/acme/teams", headers=headers)
    assert (answer.status_code, answer.json()["message"]) == (404, "Not Found")
    assert (await face.get("/orgs/acme/actions/runners/x", headers=headers)).status_code == 404


async def test_a_misspelt_order_is_explained(face):
    answer = await face.post("/_sim/runs", json={"repository": "acme/web", "jobz": []})
    assert answer.status_code == 422
    assert "jobz" in answer.text
    unknown = await face.post("/_sim/faults", json={"kind": "loose_webhook"})
    assert "known:" in json.dumps(unknown.json())


async def test_a_webhook_is_posted_signed_while_the_app_runs(make_world):
    received = []

    async def receive(reader, writer):
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        received.append((head.decode(), json.loads(await reader.readexactly(length))))
        writer.write(b"HTTP/1.1 202 Accepted\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(receive, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    world = make_world(webhook_url=f"http://127.0.0.1:{port}/webhooks/github")
    app = build_app(world.sim)
    async with server, app.router.lifespan_context(app), asyncio.timeout(10):
        world.queue()
        while not world.sim.journal.of("webhook_sent"):
            world.wait(0.1)
            await asyncio.sleep(0.01)
    ((head, payload),) = received
    assert "x-hub-signature-256: sha256=" in head.lower()
    assert payload["workflow_job"]["status"] == "queued"
    assert world.sim.journal.of("webhook_sent")[0]["status"] == 202


async def test_administrators_make_change_and_delete_groups_and_show_repositories_while_it_runs(
    face, headers
):
    made = await face.post("/_sim/runner-groups", json={"name": "new", "repositories": ["web"]})
    assert (made.status_code, made.json()["visibility"]) == (201, "selected")
    path = ["acme/web/.github/workflows/ci.yml@refs/heads/main"]
    changed = await face.patch("/_sim/runner-groups/new", json={"allows_public": True, "workflows": path})
    assert changed.json()["selected_workflows"] == path
    listed = (await face.get("/orgs/acme/actions/runner-groups", headers=headers)).json()["runner_groups"]
    assert [group["allows_public_repositories"] for group in listed if group["name"] == "new"] == [True]
    assert (await face.delete("/_sim/runner-groups/new")).status_code == 204
    assert (await face.patch("/_sim/runner-groups/new", json={})).status_code == 404
    await face.patch("/_sim/repositories/web", json={"private": False})
    assert (await face.get("/repos/acme/web", headers=headers)).json()["private"] is False


async def test_a_missing_permission_is_named_in_a_header(face, world):
    token = world.sim.tokens.mint_installation(
        world.sim.directory.installation.id,
        repositories=None,
        repository_ids=None,
        permissions={"actions": "read"},
    )
    answer = await face.get(
        "/orgs/acme/actions/runner-groups", headers={"Authorization": f"Bearer {token.secret}"}
    )
    assert answer.status_code == 403
    assert answer.headers["x-accepted-github-permissions"] == "organization_self_hosted_runners=read"
