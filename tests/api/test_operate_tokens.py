"""/v1/tokens: a token's text is in one answer, limits are handed down, and nothing of it is silent."""

import pytest

from runners.api.access import SCOPES
from runners.store import tokens
from runners.wire.problem import Problem
from runners.wire.token import TokenList, TokenMade, TokenRevoked, TokenView

DAY = 86_400


async def admin(world, **limits):
    return world.connect(authorization=f"Bearer {await world.token('admin', **limits)}")


@pytest.fixture
async def client(world):
    return await admin(world)


def made(answer):
    assert answer.status_code == 200, answer.text
    return TokenMade.model_validate(answer.json())


def refused(answer, status):
    assert answer.status_code == status, answer.text
    return Problem.model_validate(answer.json())


async def listed(client):
    return TokenList.model_validate((await client.get("/v1/tokens")).json()).tokens


async def everything_stored(world):
    def read(conn):
        names = [row[0] for row in conn.exec_driver_sql("select name from sqlite_master where type='table'")]
        return "\n".join(
            repr(tuple(row))
            for name in names
            for row in conn.exec_driver_sql(f"select * from {name}")  # noqa: S608 - names of our own tables
        )

    return await world.store.run(read)


async def test_a_token_made_here_opens_what_it_was_made_for_until_it_is_revoked(world, client):
    new = made(await client.post("/v1/tokens", json={"name": "ci", "scopes": ["read"], "days": 1}))
    bearer = world.connect(authorization=f"Bearer {new.text}")
    assert (await bearer.get("/v1/pools")).status_code == 200
    assert (await bearer.post("/v1/fleet/pause")).status_code == 403
    assert (new.token.state, new.token.expires_at) == ("valid", "2026-11-19T11:06:40.000Z")

    ended = await client.request("DELETE", f"/v1/tokens/{new.token.id}", json={"reason": "ana: leaked"})
    assert TokenRevoked.model_validate(ended.json()).changed
    assert (await bearer.get("/v1/pools")).status_code == 401
    again = TokenRevoked.model_validate((await client.delete(f"/v1/tokens/{new.token.id}")).json())
    assert (again.changed, again.next) == (False, ("it was revoked before",))
    told = [(event.verb, event.detail) for event in await world.events() if event.verb != "denied"]
    assert told == [
        ("token_made", "none -> read, no limits, ends 2026-11-19T11:06:40.000Z; no reason given"),
        ("token_revoked", "valid -> revoked; said: ana: leaked"),
    ]


async def test_the_text_of_a_token_is_in_the_one_answer_that_makes_it_and_nowhere_else(world, client):
    sent = {"name": "ci", "scopes": ["read", "operate"]}
    first = await client.post("/v1/tokens", json=sent, headers={"idempotency-key": "k-1"})
    text = made(first).text
    secret = text.split("_", 2)[2]
    assert secret not in await everything_stored(world)
    assert secret not in (await client.get("/v1/tokens")).text

    again = made(await client.post("/v1/tokens", json=sent, headers={"idempotency-key": "k-1"}))
    assert (again.text, again.token) == (None, made(first).token)
    assert "revoke" in again.next[0]
    assert len(await listed(client)) == 2


async def test_admin_alone_reads_and_operates_nothing_and_what_it_makes_is_an_event(world, client):
    for method, path in (("GET", "/v1/status"), ("POST", "/v1/pools/gha-small/drain")):
        assert (await client.request(method, path)).status_code == 403
    new = made(await client.post("/v1/tokens", json={"scopes": list(SCOPES), "pools": ["gha-small"]}))
    (event,) = await world.events(verb="token_made")
    assert event.target == f"token/{new.token.id}"
    assert event.actor.startswith("token:")
    assert event.detail.startswith("none -> admin operate read, pools gha-small, ends never")
    assert event.seq == new.revision


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"scopes": []}, "body.scopes"),
        ({"scopes": ["read", "root"]}, "a scope does not exist"),
        ({"scopes": "read"}, "body.scopes"),
        ({"pools": ["gha-smal"]}, "a pool does not exist"),
        ({"repositories": ["acme"]}, "not an owner/name pattern"),
        ({"days": 0}, "body.days"),
        ({"days": -1}, "body.days"),
        ({"days": 1e9}, "body.days"),
        ({"name": ""}, "body.name"),
        ({"name": "a\nb"}, "body.name"),
        ({"text": "fgr_mine"}, "body.text"),
    ],
)
async def test_a_token_that_cannot_be_is_refused_and_not_made(world, client, body, why):
    assert why in refused(await client.post("/v1/tokens", json=body), 422).why
    assert len(await world.store.run(tokens.all)) == 1
    assert await world.events() == ()


async def test_a_limited_token_makes_sees_and_ends_only_tokens_within_its_limits(world, client):
    everybody = made(await client.post("/v1/tokens", json={"name": "all"})).token.id
    limited = await admin(world, pools=("gha-small", "gha-medium"), repositories=("acme/web",))
    for body in ({}, {"pools": ["gha-small"]}, {"repositories": ["acme/web"]}):
        assert "limited" in refused(await limited.post("/v1/tokens", json=body), 403).why
    wider = {"pools": ["gha-small", "gha-web"], "repositories": ["acme/web"]}
    refused(await limited.post("/v1/tokens", json=wider), 403)
    within = {"pools": ["gha-small"], "repositories": ["acme/web"], "scopes": ["read"]}
    own = made(await limited.post("/v1/tokens", json=within)).token.id
    assert own in {each.id for each in await listed(limited)}
    assert everybody not in {each.id for each in await listed(limited)}
    refused(await limited.delete(f"/v1/tokens/{everybody}"), 404)
    assert (await limited.delete(f"/v1/tokens/{own}")).status_code == 200
    assert [event.verb for event in await world.events(verb="denied")] == ["denied"]


async def test_a_token_that_ends_makes_none_that_outlives_it(world):
    ending = await admin(world, expires_at=world.clock.now() + 2 * DAY)
    assert (
        made(await ending.post("/v1/tokens", json={"days": 1})).token.expires_at == "2026-11-19T11:06:40.000Z"
    )
    assert made(await ending.post("/v1/tokens")).token.expires_at == "2026-11-20T11:06:40.000Z"
    assert "outlive" in refused(await ending.post("/v1/tokens", json={"days": 3}), 422).why


async def test_a_token_may_end_itself(world, client):
    (own,) = await listed(client)
    assert (await client.delete(f"/v1/tokens/{own.id}")).status_code == 200
    assert (await client.get("/v1/tokens")).status_code == 401


async def test_an_unknown_token_is_not_found_and_says_where_to_look(world, client):
    assert "GET /v1/tokens" in refused(await client.delete("/v1/tokens/nobody"), 404).next_step


@pytest.mark.parametrize("scope", ["read", "operate"])
async def test_other_scopes_open_none_of_it_and_are_told_which_is_missing(world, scope):
    other = world.connect(authorization=f"Bearer {await world.token(scope)}")
    for method, path in (("GET", "/v1/tokens"), ("POST", "/v1/tokens"), ("DELETE", "/v1/tokens/x")):
        assert "scope admin" in refused(await other.request(method, path), 403).why


async def test_a_reader_is_told_what_its_own_token_may_and_nothing_of_others(world, client):
    text = await world.token("read", "operate", repositories=("acme/*",))
    reader = world.connect(authorization=f"Bearer {text}")
    answer = await reader.get("/v1/token")
    own = TokenView.model_validate(answer.json())
    assert (set(own.scopes), own.repositories, own.state) == ({"read", "operate"}, ("acme/*",), "valid")
    assert text.split("_", 2)[2] not in answer.text
    assert (await client.get("/v1/token")).status_code == 403
