import pytest

from runners.api.access import SCOPES, new_token
from runners.registration.registration import token_hash
from runners.store import tokens
from runners.wire.problem import Problem

READ_ROUTES = [
    "/v1/status",
    "/v1/status/stream",
    "/v1/pools",
    "/v1/pools/gha-small",
    "/v1/jobs",
    "/v1/jobs/1",
    "/v1/runners",
    "/v1/runners/r-1",
    "/v1/events",
    "/v1/incidents",
    "/v1/capacity?label=fly-gha-small",
    "/v1/usage",
    "/metrics",
]


def test_a_token_is_named_and_its_secret_is_stored_only_as_a_hash():
    made = new_token(lambda size: bytes(range(size)), name="ci", scopes=["read"], now=1.0)
    text = made.text.get_secret_value()
    prefix, token_id, secret = text.split("_", 2)
    assert (prefix, token_id) == ("fgr", made.row.id)
    assert made.secret_hash == token_hash(secret)
    assert secret not in repr(made)


@pytest.mark.parametrize("scopes", [[], ["write"], ["read", "root"]])
def test_a_token_needs_scopes_that_exist(scopes):
    with pytest.raises(ValueError, match="scopes read, operate, admin"):
        new_token(bytes, name="x", scopes=scopes, now=1.0)


@pytest.mark.parametrize("route", READ_ROUTES)
async def test_every_read_route_refuses_a_caller_without_a_token(world, route):
    answer = await world.client.get(route)
    assert answer.status_code == 401
    assert Problem.model_validate(answer.json()).reason == "token_missing"
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("route", READ_ROUTES)
async def test_a_token_without_the_scope_gets_403_that_names_it_and_an_event(world, route):
    token = await world.token("operate", "admin")
    answer = await world.client.get(route, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    problem = Problem.model_validate(answer.json())
    assert problem.reason == "access_denied"
    assert "scope read" in problem.why
    (event,) = await world.events(verb="denied")
    assert event.actor == event.target.replace("/", ":") == f"token:{token.split('_')[1]}"
    assert "needs the scope read; the token has admin, operate" in event.detail


async def test_denials_write_one_event_a_minute_per_token_and_scope(world):
    client = world.connect(authorization=f"Bearer {await world.token('admin')}")
    for _ in range(50):
        await client.get("/v1/status")
    assert len(await world.events()) == 1


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer ",
        "Basic fgr",
        "fgr_x",
        "Bearer ghp_abcdefghijklmnop",
        "Bearer fgr_aaaaaaaa_short",
    ],
)
async def test_a_header_that_is_no_token_of_ours_is_refused_and_not_quoted(world, header):
    answer = await world.client.get("/v1/status", headers={"authorization": header})
    assert answer.status_code == 401
    assert "ghp_" not in answer.text


async def test_a_wrong_secret_a_wrong_id_an_expired_and_a_revoked_token_look_the_same(world):
    good = await world.token("read")
    other = await world.token("read")
    expired = await world.token("read", expires_at=world.clock.now() + 5)
    revoked = await world.token("read")
    world.clock.at += 10
    await world.store.run(lambda conn: tokens.revoke(conn, revoked.split("_")[1], world.clock.now()))
    _, token_id, secret = good.split("_", 2)
    wrong = [f"fgr_{token_id}_{'A' * 43}", f"fgr_{other.split('_')[1]}_{secret}", expired, revoked]
    answers = [await world.client.get("/v1/status", headers={"authorization": f"Bearer {t}"}) for t in wrong]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1
    assert (
        await world.client.get("/v1/status", headers={"authorization": f"bearer {good}"})
    ).status_code == 200


async def test_when_a_token_was_last_used_is_known_to_the_minute(world):
    client = await world.reader()
    await client.get("/v1/status")
    world.clock.at += 30
    await client.get("/v1/status")
    (row,) = await world.store.run(tokens.all)
    assert row.last_used_at == world.clock.at - 30


async def test_scopes_imply_nothing_of_each_other(world):
    for scope in SCOPES:
        token = await world.token(scope)
        answer = await world.client.get("/v1/status", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == (200 if scope == "read" else 403)
