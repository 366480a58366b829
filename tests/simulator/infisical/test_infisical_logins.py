"""Universal Auth as Infisical does it: lockout that answers 401, tokens that expire."""

import pytest

from simulator.infisical.identities import Identity
from simulator.infisical.model import InfisicalSim


async def test_a_login_hands_out_a_token_with_its_life_in_seconds(caller):
    answer = await caller.login()
    body = answer.json()
    assert (answer.status_code, body["expiresIn"], body["tokenType"]) == (200, 1000, "Bearer")
    assert (await caller.list()).status_code == 200


async def test_three_failures_lock_the_id_and_the_right_secret_is_refused_too(caller, clock):
    answers = [await caller.login(secret="wrong") for _ in range(3)]
    assert [(answer.status_code, answer.json()["message"]) for answer in answers] == [
        (401, "Invalid credentials")
    ] * 3
    locked = await caller.login()
    assert locked.status_code == 401
    assert "locked" in locked.json()["message"]
    assert [entry["until"] for entry in caller.sim.journal.of("locked_out")] == [clock.now() + 300]
    clock.at += 299
    assert (await caller.login()).status_code == 401
    clock.at += 1
    assert (await caller.login()).status_code == 200


async def test_a_lock_holds_one_id_and_no_other(caller):
    for _ in range(3):
        await caller.login(secret="wrong")
    assert (await caller.login("publisher")).status_code == 200


async def test_failures_are_forgotten_thirty_seconds_after_the_last(caller, clock):
    for _ in range(4):
        await caller.login(secret="wrong")
        await caller.login(secret="wrong")
        clock.at += 30
    assert not caller.sim.journal.of("locked_out")
    await caller.login(secret="wrong")
    clock.at += 29
    await caller.login(secret="wrong")
    clock.at += 29
    await caller.login(secret="wrong")
    assert len(caller.sim.journal.of("locked_out")) == 1


async def test_a_good_login_forgets_the_failures_before_it(caller):
    await caller.login(secret="wrong")
    await caller.login(secret="wrong")
    await caller.login()
    await caller.login(secret="wrong")
    assert not caller.sim.journal.of("locked_out")


async def test_lockout_and_token_life_shrink_with_the_scale(caller_for, clock):
    caller = caller_for(scale=10)
    assert (await caller.login()).json()["expiresIn"] == 100
    for _ in range(3):
        await caller.login(secret="wrong")
    clock.at += 30
    assert (await caller.login()).status_code == 200


async def test_an_unknown_client_id_is_refused_like_a_wrong_secret(caller):
    answer = await caller.login("nobody")
    assert (answer.status_code, answer.json()["message"]) == (401, "Invalid credentials")
    assert caller.sim.journal.of("login_refused", client_id="id-nobody")


async def test_an_expired_token_is_a_token_error_and_not_a_401(caller, clock):
    await caller.login()
    clock.at += 999
    assert (await caller.list()).status_code == 200
    clock.at += 1
    answer = await caller.list()
    assert (answer.status_code, answer.json()["error"]) == (403, "TokenError")


async def test_a_call_without_a_token_is_401_and_with_a_foreign_one_a_token_error(caller):
    assert (await caller.list()).status_code == 401
    caller.token = "made-up"
    answer = await caller.list()
    assert (answer.status_code, answer.json()["error"]) == (403, "TokenError")


async def test_the_same_seed_hands_out_the_same_tokens(caller_for):
    first, second = caller_for(), caller_for()
    await first.login()
    await second.login()
    assert first.token == second.token


def test_two_identities_with_one_client_id_are_a_mistake(clock):
    twins = (Identity("a", "same", "x"), Identity("b", "same", "y"))
    with pytest.raises(ValueError, match="client id"):
        InfisicalSim(clock, 1, project_id="p", identities=twins)
