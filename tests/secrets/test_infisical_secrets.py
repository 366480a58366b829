"""Reading and writing secrets: every flag said, every name encoded, every refusal understood."""

import httpx
import pytest
from pydantic import SecretStr

from runners.secrets.infisical import InfisicalSecrets
from runners.secrets.infisical_answers import PlaceWrong
from runners.upstream.errors import ErrorClass, UpstreamError


async def _fails(call) -> UpstreamError:
    with pytest.raises(UpstreamError) as failed:
        await call
    return failed.value


async def test_the_whole_folder_is_read_with_every_flag_said_as_a_word(world):
    found = await world.secrets().read()
    assert {name: value.get_secret_value() for name, value in found.items()} == {
        "FLY_API_TOKEN": "fly-value-1",
        "GITHUB_WEBHOOK_SECRET": "hook-value-1",
    }
    assert dict(world.wire.sent[-1].url.params) == {
        "projectId": "proj-1",
        "environment": "prod",
        "secretPath": "/",
        "viewSecretValue": "true",
        "expandSecretReferences": "true",
        "recursive": "false",
        "includePersonalOverrides": "false",
        "includeImports": "true",
    }
    assert {request.headers["user-agent"] for request in world.wire.sent} == {"fly-gha"}


@pytest.mark.parametrize("api_url", ["http://infisical.test/", "http://infisical.test/api"])
async def test_both_customary_forms_of_the_base_url_are_taken(world, api_url):
    assert await world.secrets(api_url=api_url).read()
    assert world.wire.paths()[-1] == "GET /api/v4/secrets"


async def test_an_unchanged_folder_is_not_sent_again(world):
    secrets = world.secrets()
    first = await secrets.read()
    assert await secrets.read() == first
    assert "if-none-match" in world.wire.sent[-1].headers
    world.sim.rotate("FLY_API_TOKEN", "fly-value-2")
    assert (await secrets.read())["FLY_API_TOKEN"].get_secret_value() == "fly-value-2"


async def test_a_hidden_value_is_an_error_and_not_a_secret(world):
    failed = await _fails(world.secrets("blind").read())
    assert failed.error_class is ErrorClass.REFUSED
    assert "FLY_API_TOKEN" in failed.why
    assert "hidden" in failed.why
    assert "read values" in failed.next_step


async def test_an_identity_without_any_right_is_told_which_it_needs(world):
    failed = await _fails(world.secrets("outsider").read())
    assert (failed.status, failed.error_class) == (403, ErrorClass.REFUSED)
    assert "PermissionDenied" in failed.why
    assert world.logins() == 1, "a missing right is no reason to log in again"


@pytest.mark.parametrize(
    ("setting", "value"), [("project_id", "other"), ("environment", "dev"), ("path", "/nowhere")]
)
async def test_a_place_that_is_not_there_is_named_by_its_setting_with_what_it_holds(world, setting, value):
    failed = await _fails(world.secrets(**{setting: value}).read())
    assert (failed.status, failed.error_class) == (404, ErrorClass.NOT_FOUND)
    assert (type(failed), failed.key) == (PlaceWrong, f"infisical.{setting}")
    assert failed.next_step.startswith(f"correct infisical.{setting}, which is '{value}'")
    assert failed.request_id.startswith("req-sim")


async def test_a_rate_limit_says_when_to_come_back_though_only_a_sentence_tells(world, clock):
    world.sim.faults.add("rate_limited", action="list")
    failed = await _fails(world.secrets().read())
    assert (failed.status, failed.error_class) == (429, ErrorClass.TRY_LATER)
    assert failed.retry_at == clock.now() + 7


async def test_a_validation_failure_names_the_fields_and_repeats_nothing(world):
    failed = await _fails(world.secrets("publisher", project_id="").write("N", SecretStr("do-not-repeat")))
    assert (failed.status, failed.error_class) == (422, ErrorClass.OUR_FAULT)
    assert "projectId" in failed.why
    assert "do-not-repeat" not in str(failed)


async def test_a_server_error_may_hide_a_write_that_was_done(world):
    world.sim.faults.add("server_error", action="update")
    failed = await _fails(world.secrets("publisher").write("FLY_API_TOKEN", SecretStr("v")))
    assert (failed.status, failed.error_class, failed.answered) == (500, ErrorClass.TRY_LATER, False)


@pytest.mark.parametrize(
    ("cut", "answered"),
    [(httpx.ConnectError, True), (httpx.ReadTimeout, False), (httpx.DecodingError, False)],
)
async def test_a_call_without_an_answer_says_whether_it_may_have_happened(world, cut, answered):
    secrets = world.secrets("publisher")
    await secrets.read()
    world.wire.cut = cut
    failed = await _fails(secrets.write("FLY_API_TOKEN", SecretStr("v")))
    assert (failed.error_class, failed.answered) == (ErrorClass.TRY_LATER, answered)
    failed = await _fails(secrets.read())
    assert (failed.error_class, failed.answered) == (ErrorClass.TRY_LATER, True)


async def test_a_write_creates_the_secret_and_then_replaces_its_value(world):
    secrets = world.secrets("publisher")
    await secrets.write("NEW_ONE", SecretStr("first"))
    await secrets.write("NEW_ONE", SecretStr("second"))
    assert world.stored("NEW_ONE") == "second"
    assert [entry["version"] for entry in world.sim.journal.of("secret_written", name="NEW_ONE")] == [1, 2]


async def test_a_multi_line_key_comes_back_as_it_was_written(world):
    key = "-----BEGIN RSA PRIVATE KEY-----\nAAAA\nBBBB\n-----END RSA PRIVATE KEY-----\n"
    secrets = world.secrets("publisher")
    await secrets.write("GITHUB_APP_PRIVATE_KEY", SecretStr(key))
    assert (await secrets.read())["GITHUB_APP_PRIVATE_KEY"].get_secret_value() == key


async def test_an_odd_name_reaches_the_server_as_one_name(world):
    secrets = world.secrets("publisher")
    await secrets.write("odd name?x=1#y&z", SecretStr("v"))
    assert world.stored("odd name?x=1#y&z") == "v"
    assert world.wire.paths()[-1] == "POST /api/v4/secrets/odd%20name%3Fx%3D1%23y%26z"


async def test_a_name_that_climbs_does_not_leave_its_place(world):
    failed = await _fails(world.secrets("publisher").write("a/../FLY_API_TOKEN", SecretStr("v")))
    assert failed.status == 422
    assert world.stored("FLY_API_TOKEN") == "fly-value-1"
    assert world.wire.paths()[-1] == "POST /api/v4/secrets/a%2F..%2FFLY_API_TOKEN"


async def test_a_reader_cannot_write(world):
    failed = await _fails(world.secrets("dispatcher").write("FLY_API_TOKEN", SecretStr("v")))
    assert (failed.status, failed.error_class) == (403, ErrorClass.REFUSED)
    assert "the publisher writes" in failed.next_step


@pytest.mark.parametrize(("name", "action"), [("FLY_API_TOKEN", "update"), ("NEW_ONE", "create")])
async def test_a_write_that_waits_for_approval_was_not_done(world, name, action):
    world.sim.faults.add("change_policy", action=action)
    failed = await _fails(world.secrets("publisher").write(name, SecretStr("v")))
    assert failed.error_class is ErrorClass.REFUSED
    assert "approval" in failed.why
    assert world.stored("FLY_API_TOKEN") == "fly-value-1"


def _secret(name: str, value: str) -> dict[str, object]:
    return {"secretKey": name, "secretValue": value, "secretValueHidden": False}


def _answering(world, listed: httpx.Response) -> InfisicalSecrets:
    """The client in front of an Infisical that answers a list with exactly this."""

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            return httpx.Response(200, json={"accessToken": "t", "expiresIn": 10})
        return listed

    return world.through(httpx.MockTransport(answer))


async def test_a_folders_own_secret_wins_over_imports_and_a_later_import_over_an_earlier(world):
    listed = {
        "secrets": [_secret("A", "own")],
        "imports": [
            {"secretPath": "/x", "environment": "prod", "secrets": [_secret("A", "x"), _secret("B", "x")]},
            {"secretPath": "/y", "environment": "prod", "secrets": [_secret("B", "y"), _secret("C", "y")]},
        ],
    }
    found = await _answering(world, httpx.Response(200, json=listed)).read()
    assert {name: value.get_secret_value() for name, value in found.items()} == {
        "A": "own",
        "B": "y",
        "C": "y",
    }


@pytest.mark.parametrize(
    "listed",
    [
        httpx.Response(200, text="<html>a login page with do-not-repeat</html>"),
        httpx.Response(200, json={"secrets": [{"secretKey": "A", "secretValue": {"x": "do-not-repeat"}}]}),
        httpx.Response(302, headers={"location": "https://elsewhere.test/do-not-repeat"}),
        httpx.Response(304),
        httpx.Response(418, text="do-not-repeat"),
        httpx.Response(400, json={"error": "do-not-repeat!", "reqId": "do not repeat\n", "message": []}),
    ],
)
async def test_an_answer_that_is_not_infisicals_is_an_error_that_repeats_nothing(world, listed):
    failed = await _fails(_answering(world, listed).read())
    assert failed.error_class is ErrorClass.OUR_FAULT
    assert "do-not-repeat" not in str(failed)
    assert "do not repeat" not in str(failed)
    assert failed.next_step


async def test_a_header_that_names_the_wait_comes_before_the_sentence(world, clock):
    listed = httpx.Response(429, headers={"retry-after": "33"}, json={"message": "try again in 5 seconds"})
    assert (await _fails(_answering(world, listed).read())).retry_at == clock.now() + 33


async def test_closing_the_source_closes_its_transport(world):
    closed = []

    class Closing(httpx.MockTransport):
        async def aclose(self) -> None:
            closed.append(True)

    transport = Closing(lambda _: httpx.Response(500))
    await world.through(transport).close()
    assert closed == [True]
