"""Our GitHub client in `app` mode, and requests by hand, against GitHubSim's face.

Every operation is seen to do well and to refuse; the webhooks that leave meanwhile are kept.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from runners.github.errors import NameTaken
from runners.github.registrations import Removal
from runners.upstream.errors import UpstreamError
from tests.contracts.exchange import Exchange
from tests.contracts.github_world import LABELS, ORG, REPO, GitHubWorld, job, make_world
from tests.contracts.worlds import served_by

WISH = {"name": "by-hand", "runner_group_id": 1, "labels": ["fly"], "work_folder": "_work"}


@contextlib.contextmanager
def refused(status: int) -> Iterator[None]:
    with pytest.raises(UpstreamError) as failed:
        yield
    assert failed.value.status == status


async def play() -> tuple[FastAPI, list[Exchange], list[httpx.Request]]:
    """All scenes, each in a world of its own; the face, what was said, and all webhooks."""
    said: list[Exchange] = []
    webhooks: list[httpx.Request] = []
    scenes: tuple[Callable[[GitHubWorld], Any], ...]
    reading = (reading_the_queue, reading_deliveries, surveying)
    scenes = (registering, being_refused, *reading, as_the_app, knocking)
    for scene in scenes:
        world = make_world()
        async with world.http:
            await scene(world)
        said += world.recorder.exchanges
        webhooks += world.webhooks
    return make_world().app, said, webhooks


async def registering(world: GitHubWorld) -> None:
    github, _ = world.app_mode()
    for scope in (ORG, REPO):
        minted = await github.mint_jit(scope, f"r-{scope[:4]}", "fleet", LABELS)
        with pytest.raises(NameTaken):
            await github.mint_jit(scope, minted.name, "fleet", LABELS)
        await github.registration_token(scope)
        await github.mint_registration_token(scope)
        assert (await github.find_runner(scope, minted.name)).github_id == minted.github_id
        assert len(await github.list_runners(scope)) == 1
        world.queue()
        world.wait(5.0)
        session = world.online(minted.name)
        held = world.sim.sessions.poll(session.id)
        world.sim.sessions.renew(session.id, held.id)
        world.wait(30.0)
        assert (await github.list_runners(scope))[0].busy
        assert await github.delete_runner(scope, minted.github_id) is Removal.BUSY
        _, token = await world.credentials()
        await world.by_hand(token, "GET", f"/{scope}/actions/runners/{minted.github_id}", 200)
        await world.by_hand(token, "GET", f"/{scope}/actions/runners/downloads", 200)
        world.sim.sessions.complete(session.id, held.id, "success", ["success"])
        world.wait()
        assert await github.delete_runner(scope, minted.github_id) is Removal.ABSENT
        other = await github.mint_jit(scope, f"o-{scope[:4]}", "fleet", LABELS)
        assert await github.delete_runner(scope, other.github_id) is Removal.DELETED
    query = {"visible_to_repository": "web", "per_page": 1}
    paged = await world.by_hand(token, "GET", "/orgs/acme/actions/runner-groups", 200, params=query)
    assert 'rel="next"' in paged.headers["link"]
    assert await world.app_mode()[0].runner_group_id(ORG, "fleet") > 1


async def being_refused(world: GitHubWorld) -> None:
    github, minter = world.app_mode()
    with refused(422):
        await github.mint_jit(ORG, "r1", "fleet", ("l" * 300,))
    with refused(422):
        await github.mint_jit(REPO, "r1", "fleet", ("l" * 300,))
    assert (await minter.installation_token("acme"))[1] > world.clock.now()
    with refused(422):
        await minter.installation_token("acme", {"actions": "write"})
    stranger, stranger_minter = world.app_mode("orgs/nobody", "repos/nobody/web")
    with refused(404):
        await stranger.list_runners("orgs/nobody")
    with refused(404):
        await world.app_mode("repos/acme/none")[1].installation_token("acme")
    with refused(404):
        await stranger_minter.installation_token("nobody")
    for kind, mint in (("mint_5xx", github.mint_registration_token), ("mint_5xx", _mint(github))):
        for scope in (ORG, REPO):
            world.sim.faults.add(kind)
            with refused(502):
                await mint(scope)
    world.sim.faults.add("lost_mint_answer")
    with refused(502):
        await github.mint_jit(ORG, "lost", "fleet", LABELS)
    token, _ = await minter.installation_token("acme", {"metadata": "read"})
    reader = token.get_secret_value()
    await world.by_hand(reader, "GET", "/orgs/acme/actions/runners", 403)
    _, token = await world.credentials()
    jit = f"/{ORG}/actions/runners/generate-jitconfig"
    await world.by_hand(token, "POST", jit, 400, content=b"{")
    await world.by_hand(token, "POST", jit, 404, json={**WISH, "runner_group_id": 99})
    await world.by_hand(token, "POST", jit, 422, json={**WISH, "name": "a:b"})
    world.sim.limits.secondary = 0
    seen: set[int] = set()
    while seen != {403, 429}:
        answer = await world.http.get(f"/{ORG}/actions/runners", headers={"authorization": f"token {token}"})
        seen.add(answer.status_code)
        assert "retry-after" in answer.headers
    with pytest.raises(UpstreamError):
        await github.list_runners(ORG)
    world.sim.limits.secondary, world.sim.limits.primary = 900, 0
    with pytest.raises(UpstreamError):
        await github.list_runners(ORG)


async def reading_the_queue(world: GitHubWorld) -> None:
    github, _ = world.app_mode()
    (first, *_) = world.queue(job(), job("lint", cancel_after_s=2.0), job("deploy", approve_after_s=20.0))
    (run,) = await github.queued_runs("acme/web")
    world.wait(30.0)
    assert len(await github.jobs_of_run("acme/web", run.id)) == 3
    await github.mint_jit(ORG, "r1", "fleet", LABELS)
    session = world.online("r1")
    world.sim.sessions.poll(session.id)
    world.sim.sessions.renew(session.id, first.id)
    assert (await github.job("acme/web", first.id)).status == "in_progress"
    assert len(await github.queued_runs("acme/web")) == 1
    world.sim.sessions.complete(session.id, first.id, "failure", ["failure"])
    assert (await github.job("acme/web", first.id)).conclusion == "failure"
    assert len(await github.jobs_of_run("acme/web", run.id)) == 3
    assert await github.job("acme/web", 1) is None
    with refused(404):
        await github.jobs_of_run("acme/web", 1)
    with refused(404):
        await github.queued_runs("acme/none")
    _, token = await world.credentials()
    path = f"/{REPO}/actions/runs"
    await world.by_hand(token, "GET", f"{path}/{run.id}", 200)
    await world.by_hand(token, "GET", f"{path}/1", 404)
    query = {"created": ">=2026-09-21", "branch": "main", "event": "push", "per_page": 1}
    await world.by_hand(token, "GET", path, 200, params=query)
    await world.by_hand(token, "GET", path, 422, params={"created": "soon"})
    await world.by_hand(token, "GET", "/rate_limit", 200)
    await world.by_hand("", "GET", "/meta", 200)


async def reading_deliveries(world: GitHubWorld) -> None:
    """Webhooks of all five endings; the log of them."""
    github, _ = world.app_mode()
    assert await github.deliveries_readable()
    for fault in ("lose_webhook", "double_webhook"):
        world.sim.faults.add(fault, action="queued")
    done, *_ = world.queue(job(), job("lint", cancel_after_s=2.0), job("deploy", approve_after_s=30.0))
    world.wait(5.0)
    await github.mint_jit(ORG, "r1", "fleet", LABELS)
    session = world.online("r1")
    world.sim.sessions.poll(session.id)
    world.sim.sessions.renew(session.id, done.id)
    world.sim.sessions.complete(session.id, done.id, "success", ["success"])
    world.wait(60.0)
    await world.post_webhooks()
    page = await github.deliveries(0.0)
    assert {one.status_code for one in page.deliveries} == {0, 202}
    lost = next(one for one in page.deliveries if not one.arrived)
    assert (await github.delivery(lost.id))["action"] == "queued"
    with refused(404):
        await github.delivery(1)
    app_jwt, _ = await world.credentials()
    path = "/app/hook/deliveries"
    await world.by_hand(app_jwt, "POST", f"{path}/{lost.id}/attempts", 202)
    await world.by_hand(app_jwt, "POST", f"{path}/1/attempts", 404)
    await world.by_hand(app_jwt, "GET", path, 200, params={"per_page": 1, "status": "success"})
    await world.by_hand(app_jwt, "GET", path, 422, params={"cursor": "nonsense"})
    await world.by_hand(app_jwt, "GET", path, 422, params={"status": "odd"})
    world.wait(10.0)
    await world.post_webhooks()
    assert (await github.deliveries(0.0)).deliveries[-1].redelivery


async def surveying(world: GitHubWorld) -> None:
    survey, (github, _) = world.survey(), world.app_mode()
    assert (await survey.app()).permissions["actions"] == "read"
    assert (await survey.hook_config()).content_type == "json"
    assert (await github.scope_seen(ORG)).group("Fleet").workflows is None
    assert (await github.scope_seen(REPO)).private is True
    world.sim.directory.change_group("fleet", {"workflows": ("acme/web/.github/workflows/ci.yml@main",)})
    assert (await github.scope_seen(ORG)).group("fleet").workflows is not None
    for scope in (ORG, REPO):
        assert "workflow_job" in (await survey.installation(scope)).events
        minted = await github.mint_jit(scope, f"v-{scope[:4]}", "fleet", LABELS)
        world.online(minted.name)
        world.wait(60.0)
        assert (await survey.versions_in_use(scope))[minted.name] == await survey.runner_version(scope)
    with refused(404):
        await survey.installation("orgs/nobody")


async def as_the_app(world: GitHubWorld) -> None:
    app_jwt, _ = await world.credentials()
    await world.by_hand(app_jwt, "GET", "/app", 200)
    await world.by_hand(app_jwt, "GET", "/app/installations", 200)
    await world.by_hand(app_jwt, "GET", "/app/hook/config", 200)
    await world.by_hand(
        app_jwt, "PATCH", "/app/hook/config", 200, json={"secret": "s2", "url": "http://h.test"}
    )
    minter = world.app_mode(REPO)[1]
    assert (await minter.installation_token("acme"))[1] > world.clock.now()
    path = f"/app/installations/{world.sim.directory.installation.id}/access_tokens"
    await world.by_hand(app_jwt, "POST", path, 201, json={"repositories": ["web"]})
    await world.by_hand(app_jwt, "POST", path, 422, json={"repositories": ["none"]})


async def knocking(world: GitHubWorld) -> None:
    """Every operation with a credential that is nobody's."""
    ids = dict.fromkeys(("runner_id", "run_id", "job_id", "delivery_id", "installation_id"), "1")
    for operation in served_by(world.app):
        method, _, template = operation.partition(" ")
        path = template.format(org="acme", owner="acme", repo="web", **ids)
        body = WISH if path.endswith("generate-jitconfig") else {} if method == "PATCH" else None
        if path != "/meta":
            await world.by_hand("nobody", method, path, 401, json=body)


def _mint(github: Any) -> Callable[[str], Any]:
    return lambda scope: github.mint_jit(scope, "r5xx", "fleet", LABELS)
