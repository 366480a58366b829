"""App JWT, installation token, registration token."""

import jwt
import pytest

from simulator.github.problems import GitHubProblem


def refused(call, *args, **kwargs):
    with pytest.raises(GitHubProblem) as caught:
        call(*args, **kwargs)
    return caught.value


def test_a_jwt_of_the_app_that_lives_under_ten_minutes_is_accepted(world):
    world.sim.tokens.check_app_jwt(world.app_jwt())


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({"exp": 1_790_000_601}, "too far in the future"),
        ({"exp": 1_789_999_999}, "future time"),
        ({"exp": None}, "numeric value"),
        ({"iat": 1_790_000_060}, "'Issued at'"),
    ],
)
def test_a_jwt_with_wrong_times_is_refused_in_githubs_words(world, claims, said):
    problem = refused(world.sim.tokens.check_app_jwt, world.app_jwt(**claims))
    assert problem.status == 401
    assert said in problem.message


def test_a_jwt_of_another_app_finds_no_integration(world):
    assert refused(world.sim.tokens.check_app_jwt, world.app_jwt(iss="1")).status == 404


def test_a_jwt_signed_otherwise_is_refused(world):
    forged = jwt.encode({"iss": "4711", "iat": 1, "exp": 1_790_000_100}, "k" * 32, algorithm="HS256")
    assert refused(world.sim.tokens.check_app_jwt, forged).status == 401


def test_an_installation_token_lives_one_hour(world):
    secret = world.token()
    world.wait(3599)
    assert world.sim.tokens.check_installation(secret).secret == secret
    world.wait(1)
    assert refused(world.sim.tokens.check_installation, secret).status == 401


def test_a_narrowed_token_reaches_neither_more_repositories_nor_more_permissions(world):
    directory = world.sim.directory
    token = world.sim.tokens.check_installation(
        world.token(repositories=["web"], permissions={"actions": "read"})
    )
    token.require("actions", "read", directory.repository("acme", "web"))
    assert refused(token.require, "actions", "read", directory.repository("acme", "api")).status == 404
    assert refused(token.require, "actions", "write").status == 403
    assert refused(token.require, "administration", "read").status == 403


def test_no_token_is_minted_beyond_what_the_installation_was_granted(world):
    assert refused(world.token, permissions={"contents": "write"}).status == 422
    assert refused(world.token, repositories=["nowhere"]).status == 422


def test_a_registration_token_serves_a_burst_in_its_scope_for_one_hour(world):
    tokens = world.sim.tokens
    secret, _ = tokens.mint_registration("orgs/acme")
    for _ in range(3):
        tokens.check_registration(secret, "orgs/Acme")
    assert refused(tokens.check_registration, secret, "repos/acme/web").status == 404
    world.wait(3600)
    assert refused(tokens.check_registration, secret, "orgs/acme").status == 404


def test_tokens_are_drawn_from_the_seed(make_world):
    assert make_world(seed=3).token() == make_world(seed=3).token()
    assert make_world(seed=3).token() != make_world(seed=4).token()
