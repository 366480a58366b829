"""Minting, finding, listing and removing registrations, and what each of GitHub's answers means."""

import asyncio

import httpx
import pytest

from runners.github.errors import NameTaken
from runners.github.registrations import Removal, SeenRegistration
from runners.upstream.errors import ErrorClass, UpstreamError
from tests.github.wire import API_VERSION, NOW

ORG = "/orgs/acme/actions"
MINT = f"POST {ORG}/runners/generate-jitconfig"
GROUPS = f"GET {ORG}/runner-groups"
LIST = f"GET {ORG}/runners"
TOKEN = f"POST {ORG}/runners/registration-token"


def answer(status, body=None, **headers):
    return httpx.Response(status, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})


def minted(name="fleet-a-1", github_id=7):
    runner = {
        "id": github_id,
        "name": name,
        "os": "unknown",
        "status": "offline",
        "busy": False,
        "labels": [],
    }
    return answer(201, {"runner": runner, "encoded_jit_config": "c2VjcmV0"})


def groups(*pairs):
    return answer(200, {"total_count": len(pairs), "runner_groups": [{"id": i, "name": n} for n, i in pairs]})


def runner(github_id, name, status="online", busy=False):
    return {"id": github_id, "name": name, "os": "linux", "status": status, "busy": busy, "labels": []}


@pytest.fixture
def mint(wire, github):
    wire.on(GROUPS, lambda _: groups(("Default", 1), ("Fly", 12)))
    return lambda name="fleet-a-1", group="fly": github.mint_jit(
        "orgs/acme", name, group, ("fly-gha-medium",)
    )


async def test_a_mint_sends_what_the_pool_says_and_hides_what_comes_back(wire, mint):
    wire.on(MINT, minted())
    registration = await mint()
    assert wire.sent() == {
        "name": "fleet-a-1",
        "runner_group_id": 12,
        "labels": ["fly-gha-medium"],
        "work_folder": "_work",
    }
    assert (registration.github_id, registration.name) == (7, "fleet-a-1")
    assert registration.jit_config.get_secret_value() == "c2VjcmV0"
    assert "c2VjcmV0" not in repr(registration)


async def test_every_call_names_version_and_owner_token(wire, mint):
    wire.on(MINT, minted())
    await mint()
    for request in wire.requests:
        assert request.headers["x-github-api-version"] == API_VERSION
        assert request.headers["authorization"] == "Bearer ghs_acme"
        assert request.headers["accept"] == "application/vnd.github+json"


async def test_a_repository_has_one_group_and_is_not_asked_for_it(wire, github):
    wire.on("POST /repos/acme/web/actions/runners/generate-jitconfig", minted())
    await github.mint_jit("repos/acme/web", "n", "whatever", ("a",))
    assert wire.sent()["runner_group_id"] == 1
    assert len(wire.requests) == 1


async def test_a_taken_name_is_its_own_outcome(wire, mint):
    wire.on(
        MINT, answer(409, {"message": "Already exists - A runner with the name fleet-a-1 already exists."})
    )
    with pytest.raises(NameTaken) as caught:
        await mint()
    assert (caught.value.status, caught.value.answered) == (409, True)
    assert "DELETE" in caught.value.next_step


async def test_a_permission_that_is_missing_is_named_as_github_names_it(wire, mint):
    """By the header that GitHub sends to Apps; what is no list of permissions is not repeated."""
    wanted = "organization_self_hosted_runners=write"
    header = "x-accepted-github-permissions"
    wire.on(MINT, httpx.Response(403, headers={header: wanted}), httpx.Response(403, headers={header: "<b>"}))
    with pytest.raises(UpstreamError) as caught:
        await mint()
    assert wanted in caught.value.why
    assert "App's settings, under Permissions" in caught.value.next_step
    with pytest.raises(UpstreamError) as caught:
        await mint()
    assert "<b>" not in str(caught.value)


MEANINGS = [
    (400, {}, ErrorClass.OUR_FAULT, True),
    (401, {}, ErrorClass.REFUSED, True),
    (403, {}, ErrorClass.REFUSED, True),
    (404, {}, ErrorClass.NOT_FOUND, True),
    (422, {}, ErrorClass.OUR_FAULT, True),
    (418, {}, ErrorClass.OUR_FAULT, True),
    (301, {"location": "https://github.test/api/v3/organizations/1"}, ErrorClass.OUR_FAULT, True),
    (307, {"location": "https://elsewhere.test/"}, ErrorClass.OUR_FAULT, True),
    (408, {}, ErrorClass.TRY_LATER, True),
    (429, {}, ErrorClass.TRY_LATER, True),
    (500, {}, ErrorClass.TRY_LATER, False),
    (502, {}, ErrorClass.TRY_LATER, False),
    (503, {"retry-after": "5"}, ErrorClass.TRY_LATER, False),
    (504, {}, ErrorClass.TRY_LATER, False),
    (200, {}, ErrorClass.OUR_FAULT, True),
]


@pytest.mark.parametrize(("status", "headers", "error_class", "answered"), MEANINGS)
async def test_each_answer_to_a_mint_has_one_meaning_and_is_asked_for_once(
    wire, mint, status, headers, error_class, answered
):
    wire.on(
        MINT, httpx.Response(status, json={"message": "no"}, headers=headers | {"x-github-request-id": "A:1"})
    )
    with pytest.raises(UpstreamError) as caught:
        await mint()
    error = caught.value
    assert (error.upstream, error.status, error.error_class) == ("github", status, error_class)
    assert error.answered is answered
    assert error.request_id == "A:1"
    assert error.next_step
    assert wire.calls().count(MINT) == 1


LIMITS = {
    "retry-after in seconds": (403, {"retry-after": "30"}, "", NOW + 30),
    "retry-after as a date": (429, {"retry-after": "Fri, 15 Jan 2027 08:02:00 GMT"}, "", NOW + 120),
    "retry-after that is nothing": (403, {"retry-after": "soon"}, "", NOW + 60),
    "budget spent": (
        403,
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 900)},
        "",
        NOW + 900,
    ),
    "budget spent, reset unreadable": (
        403,
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "x"},
        "",
        NOW + 60,
    ),
    "only the words": (
        403,
        {"x-ratelimit-remaining": "4000"},
        "You have exceeded a secondary rate limit. Please wait a few minutes",
        NOW + 60,
    ),
    "429 bare": (429, {}, "", NOW + 60),
}


@pytest.mark.parametrize(("status", "headers", "message", "retry_at"), LIMITS.values(), ids=LIMITS.keys())
async def test_a_rate_limit_in_any_form_says_when_to_come_back(
    wire, mint, status, headers, message, retry_at
):
    wire.on(MINT, httpx.Response(status, json={"message": message}, headers=headers))
    with pytest.raises(UpstreamError) as caught:
        await mint()
    assert caught.value.error_class is ErrorClass.TRY_LATER
    assert caught.value.retry_at == retry_at
    assert wire.calls().count(MINT) == 1


LOST = [
    (httpx.ReadTimeout("t"), False),
    (httpx.WriteTimeout("t"), False),
    (httpx.ReadError("r"), False),
    (httpx.RemoteProtocolError("p"), False),
    (httpx.ConnectError("c"), True),
    (httpx.ConnectTimeout("c"), True),
    (httpx.PoolTimeout("p"), True),
    (httpx.DecodingError("d"), False),
]


@pytest.mark.parametrize(("error", "answered"), LOST, ids=lambda value: type(value).__name__)
async def test_a_lost_answer_is_told_from_a_call_that_never_left(wire, mint, error, answered):
    wire.on(MINT, error)
    with pytest.raises(UpstreamError) as caught:
        await mint()
    assert caught.value.status is None
    assert caught.value.answered is answered
    assert caught.value.error_class is ErrorClass.TRY_LATER
    assert wire.calls().count(MINT) == 1


UNREADABLE = [
    b"<html>",
    b"",
    b"\xff\xfe",
    b"[]",
    b"null",
    b"{}",
    b'{"runner": null, "encoded_jit_config": "x"}',
    b'{"runner": {"id": "7", "name": "n"}, "encoded_jit_config": "x"}',
    b'{"runner": {"id": 7, "name": "n"}, "encoded_jit_config": ""}',
    b'{"a":' * 100_000,
]


@pytest.mark.parametrize("content", UNREADABLE, ids=range(len(UNREADABLE)))
async def test_a_mint_whose_answer_cannot_be_read_counts_as_lost(wire, mint, content):
    wire.on(MINT, httpx.Response(201, content=content))
    with pytest.raises(UpstreamError) as caught:
        await mint()
    assert caught.value.answered is False
    assert "cannot be read" in caught.value.why


async def test_a_bug_below_is_not_dressed_up_as_the_networks(wire, mint):
    wire.on(MINT, KeyError("ours"))
    with pytest.raises(KeyError):
        await mint()


@pytest.mark.parametrize("name", ["", "x" * 65, "a/b", "a:b", 'a"b', "a b", "a\n"])
async def test_a_name_that_the_runner_refuses_is_never_sent(wire, mint, name):
    with pytest.raises(UpstreamError) as caught:
        await mint(name)
    assert caught.value.error_class is ErrorClass.OUR_FAULT
    assert wire.requests == []


@pytest.mark.parametrize(
    "scope", ["acme", "orgs/", "orgs/a/b", "repos/a", "repos/a/..", "orgs/a?x=1", "orgs/a\n"]
)
async def test_a_scope_that_is_none_is_never_sent(wire, github, scope):
    with pytest.raises(UpstreamError) as caught:
        await github.list_runners(scope)
    assert caught.value.error_class is ErrorClass.OUR_FAULT
    assert wire.requests == []


async def test_groups_are_read_once_for_many_mints_at_the_same_time(wire, github):
    async def slow(_):
        await asyncio.sleep(0)
        return groups(("Default", 1))

    wire.on(GROUPS, slow)
    wire.on(MINT, lambda _: minted())
    await asyncio.gather(*(github.mint_jit("orgs/acme", f"n{i}", "Default", ("a",)) for i in range(20)))
    assert wire.calls().count(GROUPS) == 1
    assert wire.calls().count(MINT) == 20


async def test_a_group_made_anew_is_found_after_the_mint_that_missed_it(wire, mint):
    wire.on(GROUPS, groups(("Fly", 12)), groups(("Fly", 40)))
    wire.on(MINT, answer(404, {}), minted())
    with pytest.raises(UpstreamError):
        await mint()
    await mint()
    assert wire.sent()["runner_group_id"] == 40


async def test_an_unknown_group_is_not_found_and_looked_for_again_next_time(wire, mint):
    for _ in range(2):
        with pytest.raises(UpstreamError) as caught:
            await mint(group="nobody")
        assert caught.value.error_class is ErrorClass.NOT_FOUND
    assert wire.calls() == [GROUPS, GROUPS]


@pytest.mark.parametrize(
    ("status", "removal"), [(204, Removal.DELETED), (404, Removal.ABSENT), (422, Removal.BUSY)]
)
async def test_a_removal_has_three_outcomes(wire, github, status, removal):
    wire.on(f"DELETE {ORG}/runners/7", answer(status))
    assert await github.delete_runner("orgs/acme", 7) is removal


async def test_a_removal_that_failed_is_no_outcome(wire, github):
    wire.on(f"DELETE {ORG}/runners/7", answer(502))
    with pytest.raises(UpstreamError) as caught:
        await github.delete_runner("orgs/acme", 7)
    assert caught.value.answered is False


async def test_a_runner_is_found_by_its_exact_name(wire, github):
    wire.on(LIST, lambda _: answer(200, {"total_count": 2, "runners": [runner(1, "ab"), runner(2, "a")]}))
    assert await github.find_runner("orgs/acme", "a") == SeenRegistration(2, "a", online=True, busy=False)
    assert dict(wire.requests[0].url.params) == {"name": "a", "per_page": "100"}
    assert await github.find_runner("orgs/acme", "A") is None


async def test_all_pages_of_the_runner_list_are_read(wire, github):
    def page(request):
        number = int(request.url.params["page"])
        entries = [runner(i, f"r{i}", "offline" if i % 2 else "online", i % 3 == 0) for i in range(1, 251)]
        return answer(200, {"total_count": 250, "runners": entries[(number - 1) * 100 : number * 100]})

    wire.on(LIST, page)
    seen = await github.list_runners("orgs/acme")
    assert [entry.github_id for entry in seen] == list(range(1, 251))
    assert seen[2] == SeenRegistration(3, "r3", online=False, busy=True)
    assert len(wire.requests) == 3


async def test_a_list_with_one_page_missing_is_no_list(wire, github):
    full = answer(200, {"total_count": 150, "runners": [runner(i, f"r{i}") for i in range(1, 101)]})
    wire.on(LIST, full, answer(500))
    with pytest.raises(UpstreamError):
        await github.list_runners("orgs/acme")


async def test_a_list_without_end_is_no_list(wire, github):
    wire.on(LIST, lambda _: answer(200, {"runners": [runner(i, f"r{i}") for i in range(1, 101)]}))
    with pytest.raises(UpstreamError) as caught:
        await github.list_runners("orgs/acme")
    assert caught.value.error_class is ErrorClass.OUR_FAULT


def registration_token(value, expires="2027-01-15T09:00:00Z"):
    return answer(201, {"token": value, "expires_at": expires})


async def test_one_registration_token_serves_a_burst_until_it_grows_old(wire, github, clock):
    wire.on(TOKEN, registration_token("one"), registration_token("two", "2027-01-15T10:00:00Z"))
    burst = await asyncio.gather(*(github.registration_token("orgs/acme") for _ in range(10)))
    assert {token.get_secret_value() for token in burst} == {"one"}
    assert len(wire.requests) == 1
    clock.time += 3001
    assert (await github.registration_token("orgs/acme")).get_secret_value() == "two"


async def test_a_published_registration_token_is_used_before_any_is_minted(wire, github, tokens):
    tokens.registration["orgs/acme"] = "published"
    assert (await github.registration_token("orgs/acme")).get_secret_value() == "published"
    assert wire.requests == []


async def test_a_minted_registration_token_comes_with_its_end(wire, github):
    wire.on(TOKEN, registration_token("one"))
    minted_token = await github.mint_registration_token("orgs/acme")
    assert minted_token.expires_at == NOW + 3600
    assert "one" not in repr(minted_token)


async def test_no_error_quotes_token_or_body(wire, github):
    wire.on(TOKEN, answer(403, {"message": "the body says ghs_acme"}))
    with pytest.raises(UpstreamError) as caught:
        await github.registration_token("orgs/acme")
    assert "ghs_acme" not in f"{caught.value} {caught.value!r}"
    assert "the body" not in str(caught.value)
