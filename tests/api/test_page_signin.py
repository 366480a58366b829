"""Signing in to the status page: what a cookie is worth, for how long, and what it never opens."""

import re

import pytest
from api_world import NOW

from runners.api.page import tries
from runners.api.page.session import COOKIE, SECURE_COOKIE, SESSION_S
from runners.model.reason import Reason
from runners.registration.registration import token_hash
from runners.store import page_sessions, tokens

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def sign_in(world, token, client=None, **headers):
    client = client or world.connect()
    answer = await client.post("/signin", data={"token": token}, headers=headers)
    return client, answer


async def signed_in(world, **limits):
    client, answer = await sign_in(world, await world.token("read", **limits))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    return client


async def test_a_token_that_may_read_is_traded_for_a_cookie_that_holds_neither_it_nor_its_id(world):
    token = await world.token("read")
    client, answer = await sign_in(world, token)
    cookie = answer.headers["set-cookie"]
    held = re.match(rf"{COOKIE}=([A-Za-z0-9_-]{{43}}); ", cookie)[1]
    assert held not in token
    assert token.split("_")[1] not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/", f"Max-Age={SESSION_S:.0f}"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert (await client.get("/")).status_code == 200


async def test_the_store_knows_the_cookie_by_its_hash_only(world):
    client = await signed_in(world)
    held = client.cookies[COOKIE]

    def op(conn):
        return [page_sessions.find(conn, name, NOW) for name in (held, token_hash(held))]

    plain, hashed = await world.store.run(op)
    assert plain is None
    assert hashed.ends_at == NOW + SESSION_S


@pytest.mark.parametrize(
    ("headers", "public_url"),
    [
        ({"x-forwarded-proto": "https"}, "http://127.0.0.1:8080"),
        ({}, "https://fleet"),
    ],
)
async def test_by_https_the_cookie_is_secure_and_bound_to_this_host(open_world, headers, public_url):
    world = await open_world(fleet={"public_url": public_url})
    _, answer = await sign_in(world, await world.token("read"), **headers)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{SECURE_COOKIE}=")
    assert "Secure" in cookie.split("; ")


async def test_who_is_not_signed_in_is_sent_to_the_form_and_then_back(world):
    client = world.connect()
    answer = await client.get("/jobs/7")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin?next=/jobs/7")
    form = await client.get(answer.headers["location"])
    assert '<input type="hidden" name="next" value="/jobs/7">' in form.text
    given = {"token": await world.token("read"), "next": "/jobs/7"}
    assert (await client.post("/signin", data=given)).headers["location"] == "/jobs/7"


@pytest.mark.parametrize(
    "there", ["https://evil.test/", "//evil.test", "/v1/status", "/signout", "/jobs/7?x=1"]
)
async def test_after_signing_in_nobody_is_sent_elsewhere(world, there):
    client = world.connect()
    form = await client.get("/signin", params={"next": there})
    assert 'name="next" value="/"' in form.text
    given = {"token": await world.token("read"), "next": there}
    assert (await client.post("/signin", data=given)).headers["location"] == "/"


async def test_a_link_from_another_site_leads_in_although_it_brings_no_strict_cookie(world):
    answer = await world.connect().get("/jobs/7", headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 200
    assert '<meta http-equiv="refresh" content="0; url=/jobs/7">' in answer.text


@pytest.mark.parametrize(
    "given", ["", "wrong-token", "fgr_aaaaaaaa_" + "a" * 43, "<script>", "ghp_" + "a" * 36]
)
async def test_a_wrong_token_is_said_plainly_and_not_repeated(world, given):
    _, answer = await sign_in(world, given)
    assert answer.status_code == 401
    assert "That token opens nothing" in answer.text
    assert "set-cookie" not in answer.headers
    assert not given or given not in answer.text


async def test_wrong_tokens_are_one_event_a_minute_with_a_count(world):
    for _ in range(3):
        await sign_in(world, "wrong")
    (event,) = await world.events(verb="denied")
    assert (event.actor, event.target, event.reason) == ("page", "page/signin", Reason.ACCESS_TOKEN_WRONG)
    world.clock.at += 61
    await sign_in(world, "wrong")
    assert (await world.events(verb="denied"))[-1].detail.endswith("(and 2 more since the last such event)")


async def test_a_token_without_the_scope_read_is_told_apart_and_is_an_event(world):
    token = await world.token("operate", "admin")
    _, answer = await sign_in(world, token)
    assert answer.status_code == 403
    assert "it lacks the scope read" in answer.text
    (event,) = await world.events(verb="denied")
    assert event.reason is Reason.ACCESS_DENIED


async def test_who_shows_too_many_wrong_tokens_has_to_wait_and_others_do_not(world):
    token = await world.token("read")
    for _ in range(tries.TRIES_MAX):
        assert (await sign_in(world, "wrong", **{"fly-client-ip": "192.0.2.1"}))[1].status_code == 401
    _, answer = await sign_in(world, token, **{"fly-client-ip": "192.0.2.1"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "61")
    assert "Too many wrong tokens" in answer.text
    assert (await sign_in(world, token, **{"fly-client-ip": "192.0.2.2"}))[1].status_code == 303
    world.clock.at += tries.WINDOW_S
    assert (await sign_in(world, token, **{"fly-client-ip": "192.0.2.1"}))[1].status_code == 303


def test_tries_forget_clients_rather_than_grow_and_a_clock_set_back_locks_nobody_out():
    counted = tries.Tries()
    for number in range(tries.CLIENTS_MAX + 10):
        counted.wrong(f"c-{number}", 100.0)
    assert len(counted._wrong) == tries.CLIENTS_MAX
    for _ in range(tries.TRIES_MAX):
        counted.wrong("c", 1000.0)
    assert counted.wait_s("c", 10.0) == tries.WINDOW_S
    counted.right("c")
    assert counted.wait_s("c", 1000.0) == 0


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.test"},
        {"origin": "null"},
    ],
)
async def test_another_sites_form_signs_nobody_in_or_out(world, headers):
    token = await world.token("read")
    _, answer = await sign_in(world, token, **headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    client = await signed_in(world)
    assert (await client.post("/signout", headers=headers)).status_code == 403
    assert (await client.get("/")).status_code == 200


async def test_a_form_of_this_page_is_taken_with_what_browsers_say_of_it(world):
    token = await world.token("read")
    for headers in ({"sec-fetch-site": "same-origin"}, {"origin": "http://fleet"}):
        assert (await sign_in(world, token, **headers))[1].status_code == 303


async def test_who_signs_out_is_out_here_and_wherever_the_cookie_was_copied_to(world):
    client = await signed_in(world)
    copied = {COOKIE: client.cookies[COOKIE]}
    answer = await client.post("/signout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/signin")
    assert "Max-Age=0" in answer.headers["set-cookie"]
    thief = world.connect()
    thief.cookies.update(copied)
    assert (await thief.get("/")).status_code == 303
    assert (await thief.get("/live")).status_code == 401


async def test_a_session_ends_after_twelve_hours(world):
    client = await signed_in(world)
    world.clock.at = NOW + SESSION_S - 1
    assert (await client.get("/live")).status_code == 200
    world.clock.at = NOW + SESSION_S
    assert (await client.get("/live")).status_code == 401


async def test_a_session_ends_with_its_token(world):
    ended = await signed_in(world, expires_at=NOW + 60)
    revoked = await signed_in(world)
    token = next(each for each in await world.store.run(tokens.all) if each.expires_at is None)
    await world.store.run(lambda conn: tokens.revoke(conn, token.id, NOW))
    assert (await revoked.get("/live")).status_code == 401
    assert (await ended.get("/live")).status_code == 200
    world.clock.at = NOW + 60
    assert (await ended.get("/live")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/status"),
        ("GET", "/v1/events"),
        ("GET", "/v1/tokens"),
        ("GET", "/metrics"),
        ("POST", "/v1/pools/gha-small/drain"),
        ("POST", "/v1/fleet/pause"),
        ("POST", "/v1/sweep"),
        ("POST", "/v1/tokens"),
    ],
)
async def test_the_cookie_of_an_almighty_token_opens_nothing_but_the_page(world, method, path):
    client, _ = await sign_in(world, await world.token("read", "operate", "admin"))
    answer = await client.request(method, path, json={} if method == "POST" else None)
    assert answer.status_code == 401


async def test_a_cookie_that_is_none_of_ours_is_no_cookie(world):
    for held in ("x", "a" * 43, "ü" * 43):
        client = world.connect(cookie=f"{COOKIE}={held}".encode())
        assert (await client.get("/")).status_code == 303


async def test_a_form_that_is_none_or_far_too_long_signs_nobody_in(world):
    client = world.connect()
    for body in (b"\xff\xfe", b"token=" + b"a" * 5000, b'{"token": "x"}', b"&".join([b"a=1"] * 50)):
        answer = await client.post("/signin", content=body, headers=FORM)
        assert answer.status_code == 401
