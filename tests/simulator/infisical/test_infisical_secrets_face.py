"""v4 secrets as Infisical serves them: versions, hidden values, refusals, limits, entity tags."""

import json

import pytest


@pytest.fixture
async def reader(caller):
    await caller.login("dispatcher")
    return caller


@pytest.fixture
async def writer(caller):
    await caller.login("publisher")
    return caller


async def test_a_list_shows_each_secret_with_all_that_the_specification_requires(reader):
    body = (await reader.list()).json()
    assert body["imports"] == []
    first = body["secrets"][0]
    assert (first["secretKey"], first["secretValue"], first["version"]) == ("A", "value-a", 1)
    assert (first["workspace"], first["environment"], first["secretPath"]) == ("proj-1", "prod", "/")
    assert first["secretValueHidden"] is False
    assert first["id"] == first["_id"]
    assert (await reader.list(secretPath="/ci")).json()["secrets"] == []


@pytest.mark.parametrize(("identity", "view"), [("dispatcher", "false"), ("blind", "true")])
async def test_a_value_that_may_not_be_seen_is_hidden_with_status_200(caller, identity, view):
    await caller.login(identity)
    answer = await caller.list(viewSecretValue=view)
    assert answer.status_code == 200
    assert {(one["secretValue"], one["secretValueHidden"]) for one in answer.json()["secrets"]} == {
        ("<hidden-by-infisical>", True)
    }
    one = (await caller.get("A", viewSecretValue=view)).json()["secret"]
    assert (one["secretValue"], one["secretValueHidden"]) == ("<hidden-by-infisical>", True)


async def test_every_write_makes_a_version_and_an_old_one_can_be_read(writer, clock):
    created = (await writer.send("POST", "NEW", secretValue="one", secretComment="why")).json()["secret"]
    clock.at += 60
    patched = (await writer.send("PATCH", "NEW", secretValue="two")).json()["secret"]
    assert (created["version"], patched["version"]) == (1, 2)
    assert created["secretComment"] == "why"
    assert patched["createdAt"] < patched["updatedAt"]
    assert (await writer.get("NEW")).json()["secret"]["secretValue"] == "two"
    assert (await writer.get("NEW", version="1")).json()["secret"]["secretValue"] == "one"
    assert (await writer.get("NEW", version="3")).status_code == 404


async def test_a_rename_keeps_the_history_and_a_taken_name_is_refused(writer):
    renamed = (await writer.send("PATCH", "A", newSecretName="Z")).json()["secret"]
    assert (renamed["secretKey"], renamed["secretValue"], renamed["version"]) == ("Z", "value-a", 2)
    assert (await writer.get("A")).status_code == 404
    assert (await writer.send("PATCH", "Z", newSecretName="B")).status_code == 400


async def test_a_delete_takes_the_secret_away(writer):
    assert (await writer.send("DELETE", "A")).json()["secret"]["secretKey"] == "A"
    assert (await writer.send("DELETE", "A")).status_code == 404
    assert writer.sim.journal.of("secret_deleted", name="A", identity="publisher")


async def test_a_create_of_a_taken_name_is_400_and_an_update_of_none_404(writer):
    assert (await writer.send("POST", "A", secretValue="x")).json()["error"] == "BadRequest"
    assert (await writer.send("PATCH", "NONE", secretValue="x")).json()["error"] == "NotFound"


async def test_a_value_is_trimmed_and_keeps_one_newline_at_its_end(writer):
    await writer.send("PATCH", "A", secretValue="  key\nbody\n\n\n")
    assert (await writer.get("A")).json()["secret"]["secretValue"] == "key\nbody\n"
    await writer.send("PATCH", "A", secretValue="\n")
    assert (await writer.get("A")).json()["secret"]["secretValue"] == "\n"


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE"])
async def test_a_reader_may_not_change_anything(reader, method):
    answer = await reader.send(method, "A", secretValue="x")
    assert (answer.status_code, answer.json()["error"]) == (403, "PermissionDenied")
    assert reader.sim.journal.of("refused", identity="dispatcher", status=403)


@pytest.mark.parametrize("place", [{"projectId": "p2"}, {"environment": "dev"}, {"secretPath": "/none"}])
async def test_a_place_that_is_not_there_is_404(reader, place):
    answer = await reader.list(**place)
    assert (answer.status_code, answer.json()["error"]) == (404, "NotFound")
    assert (await reader.get("A", **place)).status_code == 404


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"viewSecretValue": "True"}, "viewSecretValue"),
        ({"recursive": "1"}, "recursive"),
        ({"projectId": ""}, "projectId"),
    ],
)
async def test_a_malformed_query_is_422_with_a_list_of_issues(reader, query, field):
    answer = await reader.list(**query)
    body = answer.json()
    assert (answer.status_code, body["error"]) == (422, "ValidationFailure")
    assert [issue["path"] for issue in body["message"]] == [[field]]


async def test_a_malformed_body_is_422_or_400_and_never_repeated(writer):
    answer = await writer.http.post(
        "/api/v4/secrets/N", content=json.dumps({"secretValue": ["do-not-repeat"]}), headers=writer._bearer
    )
    assert answer.status_code == 422
    assert sorted(issue["path"][0] for issue in answer.json()["message"]) == [
        "environment",
        "projectId",
        "secretValue",
    ]
    assert "do-not-repeat" not in answer.text
    for content in ("not json", "[1]", ""):
        broken = await writer.http.post("/api/v4/secrets/N", content=content, headers=writer._bearer)
        assert broken.status_code == 400
    assert (await writer.send("POST", "has:colon", secretValue="x")).status_code == 422


async def test_authentication_comes_before_validation(caller):
    assert (await caller.list(viewSecretValue="nonsense")).status_code == 401


async def test_an_entity_tag_saves_the_body_until_something_changes(reader):
    first = await reader.list()
    again = await reader.list(headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
    reader.sim.rotate("A", "value-a2")
    changed = await reader.list(headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200


async def test_past_the_limit_only_a_sentence_tells_the_wait(caller_for, clock):
    caller = caller_for(calls_per_minute={"read": 2})
    await caller.login()
    clock.at += 0.5
    assert [(await caller.list()).status_code for _ in range(2)] == [200, 200]
    clock.at += 20
    answer = await caller.list()
    assert answer.status_code == 429
    assert answer.json()["message"] == "Rate limit exceeded. Please try again in 40 seconds"
    assert "retry-after" not in answer.headers
    clock.at += 40
    assert (await caller.list()).status_code == 200


async def test_limits_grow_with_the_scale_and_kinds_are_counted_apart(caller_for):
    caller = caller_for(calls_per_minute={"login": 1, "read": 1}, scale=3)
    assert [(await caller.login()).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert [(await caller.list()).status_code for _ in range(4)] == [200, 200, 200, 429]


async def test_armed_faults_fire_on_their_action_and_are_journalled(writer):
    writer.sim.faults.add("server_error", action="update")
    writer.sim.faults.add("change_policy", action="create")
    writer.sim.faults.add("token_refused", action="list")
    assert (await writer.send("PATCH", "A", secretValue="x")).status_code == 500
    assert "approval" in (await writer.send("POST", "N", secretValue="x")).json()
    assert (await writer.list()).json()["error"] == "TokenError"
    assert (await writer.get("N")).status_code == 404
    assert len(writer.sim.journal.of("fault_fired")) == 3
    assert writer.sim.faults.unfired() == ()


async def test_an_operator_rotates_a_value_by_the_control_route(reader):
    answer = await reader.http.post("/_sim/secrets", json={"name": "A", "value": "value-a2"})
    assert (answer.status_code, answer.json()) == (201, {"version": 2})
    assert (await reader.get("A")).json()["secret"]["secretValue"] == "value-a2"
    new = await reader.http.post("/_sim/secrets", json={"name": "C", "value": "c", "path": "/ci"})
    assert new.json() == {"version": 1}
    lost = await reader.http.post("/_sim/secrets", json={"name": "C", "value": "c", "path": "/none"})
    assert lost.status_code == 404


async def test_journal_and_state_name_secrets_and_hold_no_value(writer):
    await writer.list()
    await writer.send("PATCH", "A", secretValue="value-new")
    journal = (await writer.http.get("/_sim/journal")).text
    state = (await writer.http.get("/_sim/state")).text
    assert {entry["kind"] for entry in json.loads(journal)["entries"]} == {
        "login",
        "secret_read",
        "secret_written",
    }
    assert json.loads(state)["secrets"] == {"/": {"A": 2, "B": 1}, "/ci": {}}
    for value in ("value-a", "value-b", "value-new", "s3cret-publisher", writer.token):
        assert value not in journal + state
