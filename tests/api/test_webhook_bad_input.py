import json

import pytest
from api_world import SECRET, payload, sign

from runners.model.reason import Reason
from runners.store.errors import StoreUnavailable
from runners.wire.problem import Problem


def problem(answer, status, reason):
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    found = Problem.model_validate(answer.json())
    assert found.reason == reason
    assert found.next_step
    assert "Traceback" not in answer.text
    return found


async def refusals(world):
    return [(event.reason, event.target) for event in await world.events(verb="refused")]


async def test_a_missing_signature_is_refused_with_an_event(world):
    answer = await world.deliver(payload(1), **{"x-hub-signature-256": None})
    problem(answer, 401, "signature_missing")
    assert await world.job(1) is None
    assert await refusals(world) == [("signature_missing", "webhook")]


@pytest.mark.parametrize(
    "signature",
    [
        "sha256=" + "0" * 64,
        "sha1=abc",
        "sha256=",
        sign(b"another body"),
        sign(json.dumps(payload(1)).encode(), "another secret"),
        "sha256=é".encode("latin-1"),
    ],
)
async def test_a_wrong_signature_is_refused_with_an_event(world, signature):
    answer = await world.deliver(payload(1), **{"x-hub-signature-256": signature})
    problem(answer, 401, "signature_wrong")
    assert await world.job(1) is None
    assert await refusals(world) == [("signature_wrong", "webhook")]
    assert world.woken == 0


async def test_the_previous_secret_still_opens_while_it_is_being_rotated(world):
    world.secrets = {"GITHUB_WEBHOOK_SECRET": "new", "GITHUB_WEBHOOK_SECRET_PREVIOUS": SECRET}
    assert (await world.deliver(payload(1))).status_code == 202
    world.secrets = {"GITHUB_WEBHOOK_SECRET": "new"}
    assert (await world.deliver(payload(2))).status_code == 401


async def test_without_a_webhook_secret_nothing_is_taken(world):
    world.secrets = {}
    problem(await world.deliver(payload(1)), 503, "credential_missing")
    assert await world.job(1) is None


async def test_refusals_write_one_event_a_minute_and_count_the_rest(world):
    for _ in range(500):
        await world.deliver(payload(1), **{"x-hub-signature-256": "sha256=no"})
    assert len(await world.events()) == 1
    world.clock.at += 61
    await world.deliver(payload(1), **{"x-hub-signature-256": "sha256=no"})
    assert "499 more" in (await world.events())[-1].detail


async def test_a_body_over_the_limit_is_refused_by_its_announced_length(world):
    answer = await world.deliver(b"x" * 70_000)
    problem(answer, 413, "body_too_large")
    assert await refusals(world) == [("body_too_large", "webhook")]


@pytest.mark.parametrize("length", [None, b"5", b"999999999999999999999"])
async def test_no_more_than_the_limit_is_ever_read_whatever_length_is_announced(world, length):
    sent = 0

    async def receive():
        nonlocal sent
        sent += 1
        return {"type": "http.request", "body": b"x" * 10_000, "more_body": True}

    answers = []

    async def send(message):
        answers.append(message)

    headers = [(b"content-type", b"application/json"), (b"host", b"fleet")]
    if length is not None:
        headers.append((b"content-length", length))
    scope = {
        "type": "http", "method": "POST", "path": "/webhooks/github", "raw_path": b"/webhooks/github",
        "query_string": b"", "headers": headers, "http_version": "1.1", "scheme": "http",
        "server": ("fleet", 80), "client": ("127.0.0.1", 1), "root_path": "", "asgi": {"version": "3.0"},
    }  # fmt: skip
    await world.app(scope, receive, send)
    assert answers[0]["status"] == 413
    assert sent <= 7


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "text/plain", "", None])
async def test_another_content_type_is_refused(world, kind):
    problem(await world.deliver(payload(1), **{"content-type": kind}), 415, "content_type_wrong")


async def test_a_content_type_may_name_its_charset(world):
    answer = await world.deliver(payload(1), **{"content-type": "application/json; charset=utf-8"})
    assert answer.status_code == 202


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"nul", b"[" * 60_000, b'{"a":' + b"9" * 10_000 + b"}"]
)
async def test_broken_json_is_refused(world, body):
    problem(await world.deliver(body), 400, "body_not_json")
    assert await refusals(world) == [("body_not_json", "webhook")]


@pytest.mark.parametrize(
    "body",
    [
        {**payload(1), "workflow_job": None},
        {"action": "queued"},
        [],
        None,
        7,
        payload(-1),
        payload(2**63),
        payload("1"),
        payload(1, "dancing"),
        payload(1, repository="../etc/passwd"),
        payload(1, labels=[{}]),
        payload(1, created_at="yesterday"),
        payload(1, name=None),
    ],
    ids=lambda body: str(body)[:20],
)
async def test_a_malformed_workflow_job_is_refused_with_an_event_and_never_a_traceback(world, body):
    problem(await world.deliver(body), 400, "payload_malformed")
    assert await refusals(world) == [("payload_malformed", "webhook")]
    assert world.woken == 0


@pytest.mark.parametrize("event", ["workflow_run", "push", "installation", "", "workflow_job\tx", "x" * 500])
async def test_an_unknown_event_is_taken_and_ignored(world, event):
    answer = await world.deliver({"anything": 1}, event=event)
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "event_ignored")
    assert await world.events() == ()


async def test_a_ping_is_answered(world):
    answer = await world.deliver({"zen": "Keep it logically awesome."}, event="ping")
    assert answer.status_code == 200
    assert answer.json()["accepted"] is True


async def test_an_unknown_label_is_not_ours_and_no_boot(world):
    answer = await world.deliver(payload(1, labels=["ubuntu-latest"]))
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "labels_unknown")
    assert await world.job(1) is None
    assert await refusals(world) == [("labels_unknown", "webhook")]
    assert world.woken == 0


@pytest.mark.parametrize(
    "labels", [["fly-gha-huge"], ["fly-gha-small", "gpu"], ["linux", "gpu"], ["FLY-GHA-X"]]
)
async def test_an_unknown_label_that_means_us_is_stored_as_refused_so_that_why_can_explain(world, labels):
    answer = await world.deliver(payload(1, labels=labels))
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "labels_unknown")
    job = await world.job(1)
    assert (job.refused, job.pool) == (Reason.LABELS_UNKNOWN, None)
    assert await refusals(world) == [("labels_unknown", "job/1")]
    explained = (await (await world.reader()).get("/v1/jobs/1")).json()["job"]
    assert explained["why"]["reason"] == "labels_unknown"
    assert "no pool's labels" in explained["why"]["text"]


async def test_a_job_without_labels_is_not_ours(world):
    assert (await world.deliver(payload(1, labels=[]))).json()["reason"] == "labels_unknown"


@pytest.mark.parametrize("repository", ["evil/api", "globex/web"])
async def test_a_repository_that_no_setting_or_scope_allows_is_refused(world, repository):
    answer = await world.deliver(payload(1, repository=repository))
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "repository_not_allowed")
    assert (await world.job(1)).refused is Reason.REPOSITORY_NOT_ALLOWED


async def test_repository_patterns_are_heeded_without_regard_to_case(open_world):
    world = await open_world(github={"repositories": ["acme/a*", "acme/Web", "globex/*"]})
    assert (await world.deliver(payload(1, repository="Acme/API"))).json()["accepted"] is True
    assert (await world.deliver(payload(2, repository="acme/web"))).json()["accepted"] is True
    assert (await world.deliver(payload(3, repository="acme/secret"))).json()["accepted"] is False


@pytest.mark.parametrize("installation", [8, None])
async def test_an_installation_that_is_not_allowed_is_refused(open_world, installation):
    world = await open_world(github={"installations": [7]})
    body = payload(1, installation=installation)
    if installation is None:
        del body["installation"]
    answer = await world.deliver(body)
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "installation_not_allowed")
    assert (await world.deliver(payload(2))).json()["accepted"] is True


@pytest.mark.parametrize("private", [False, None])
async def test_a_public_repository_is_refused_unless_its_pool_allows_it(open_world, private):
    world = await open_world()
    answer = await world.deliver(payload(1, private=private))
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "public_repository")
    pools = [{"name": "gha-small", "scope": "orgs/acme", "apps": ["a"], "allow_public": True}]
    open_to_all = await open_world(pools=pools)
    assert (await open_to_all.deliver(payload(1, private=private))).json()["accepted"] is True


async def test_a_repository_that_no_pool_lists_is_refused_with_the_key_and_booted_for_by_nobody(open_world):
    pools = [{"name": "gha-small", "scope": "orgs/acme", "apps": ["a"], "repositories": ["acme/web"]}]
    world = await open_world(pools=pools)
    answer = await world.deliver(payload(1, repository="acme/api"))
    assert (answer.json()["accepted"], answer.json()["reason"]) == (False, "repository_not_allowed")
    (event,) = await world.events()
    assert "pools.repositories of pool gha-small" in event.detail
    job = await world.job(1)
    assert (job.pool, job.refused) == (None, Reason.REPOSITORY_NOT_ALLOWED)
    assert (await world.deliver(payload(2, repository="ACME/Web"))).json()["accepted"] is True


async def test_hostile_text_is_stored_whole_and_shown_harmless(world):
    name = "a\x00b\u202e\x1b[31m<script>\ud800" + "x" * 5000
    raw = json.dumps(payload(1, name=name, head_branch="'; DROP TABLE jobs; --")).encode()
    assert (await world.deliver(raw)).status_code == 202
    shown = (await (await world.reader()).get("/v1/jobs/1")).json()["job"]
    assert shown["head_branch"] == "'; DROP TABLE jobs; --"
    assert "\u202e" not in shown["name"]
    assert "\x1b" not in shown["name"]
    assert len(shown["name"]) <= 256


async def test_a_store_that_cannot_be_reached_makes_github_deliver_again(world):
    await world.store.close()

    async def unavailable(op):
        raise StoreUnavailable("run", "it is away", "wait")

    world.store.run = unavailable
    answer = await world.deliver(payload(1))
    problem(answer, 503, "store_unavailable")
    assert answer.headers["retry-after"]
    unsigned = await world.deliver(payload(1), **{"x-hub-signature-256": "sha256=no"})
    problem(unsigned, 401, "signature_wrong")
