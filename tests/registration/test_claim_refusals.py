"""A claim that is not the Machine's own, in its own time, gets nothing, and the refusal is on record."""

import json

import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from runners.model.reason import Reason
from runners.model.states import MachineState, RunnerState
from runners.store import machines, runners
from runners.wire.problem import Problem
from tests.fleet_world import FLY_KEY, OTHER_KEY, URL, key_id, signed


async def nothing_was_handed_out(world, answer, agent):
    """The answer is a Problem without a secret, and the registration still waits for its Machine."""
    problem = Problem.model_validate(answer.json())
    assert answer.headers["content-type"] == "application/problem+json"
    assert all((problem.what, problem.why, problem.attempted, problem.next_step))
    (runner,) = await world.runners()
    assert runner.claimed_at is None
    secrets = [world.github.sessions.jit_config(reg) for reg in world.github.registrations.all()]
    seen = answer.text + await world.everything_stored()
    assert all(secret not in seen for secret in secrets)
    assert (await agent.claim()).status_code == 200
    return problem


def with_alg_none(agent):
    return jwt.encode(agent.claims(), "", "none", headers={"kid": key_id()})


def with_the_public_key_as_secret(agent):
    public = FLY_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # pyjwt refuses to do this, an attacker's library does not.
    plain = jwt.PyJWS()
    plain._algorithms["HS256"].prepare_key = lambda key: key
    body = json.dumps(agent.claims()).encode()
    return plain.encode(body, public, "HS256", headers={"kid": key_id()})


FORGERIES = {
    "another key under the issuer's key id": lambda agent: signed(agent.claims(), OTHER_KEY),
    "a key id the issuer does not have": lambda agent: signed(agent.claims(), OTHER_KEY, kid="other"),
    "alg none": with_alg_none,
    "the public key as an HMAC secret": with_the_public_key_as_secret,
    "another organization's issuer": lambda agent: signed(agent.claims(iss="http://fly.sim/oidc/evil")),
    "an audience elsewhere": lambda agent: agent.token(audience="https://elsewhere.example"),
    "two audiences": lambda agent: signed(agent.claims(aud=[URL, "https://elsewhere.example"])),
    "no audience": lambda agent: signed(agent.claims(aud=None)),
    "no jti": lambda agent: signed(agent.claims(jti=None)),
    "no machine id": lambda agent: signed(agent.claims(machine_id="")),
    "a subject of another app": lambda agent: signed(agent.claims(sub=f"acme:app-b:{agent.machine.name}")),
    "no token at all": lambda _: "not-a-token",
    "a signature cut off": lambda agent: agent.token().rpartition(".")[0] + ".",
    "twenty thousand characters": lambda _: "x" * 20_000,
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES.keys())
async def test_a_forged_token_gets_nothing_and_is_noted(world, forge):
    agent = await world.booted()
    answer = await agent.claim(forge(agent))
    assert answer.status_code == 401
    problem = await nothing_was_handed_out(world, answer, agent)
    assert problem.reason == Reason.TOKEN_FORGED
    (event,) = await world.events(actor="claim", verb="refused")
    assert (event.reason, event.outcome, event.target) == (Reason.TOKEN_FORGED, "refused", "claim")


async def test_a_flood_of_forged_tokens_is_noted_once_a_minute_with_its_count(world):
    agent = await world.booted()
    for _ in range(30):
        await agent.claim("forged")
    assert len(await world.events(actor="claim")) == 1
    world.pass_time(61)
    await agent.claim("forged")
    assert "29 more" in (await world.events(actor="claim"))[-1].detail


async def test_an_expired_token_gets_nothing(world):
    agent = await world.booted()
    now = int(world.clock.now())
    answer = await agent.claim(signed(agent.claims(iat=now - 700, nbf=now - 700, exp=now - 60)))
    assert answer.status_code == 401
    assert (await nothing_was_handed_out(world, answer, agent)).reason == Reason.TOKEN_EXPIRED
    assert [event.reason for event in await world.events(verb="refused")] == [Reason.TOKEN_EXPIRED]


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_a_token_from_the_future_gets_nothing(world, claim):
    agent = await world.booted()
    ahead = int(world.clock.now()) + 120
    answer = await agent.claim(signed(agent.claims(**{claim: ahead}, exp=ahead + 600)))
    assert answer.status_code == 401
    assert (await nothing_was_handed_out(world, answer, agent)).reason == Reason.TOKEN_EARLY


async def test_a_token_older_than_this_boots_launch_gets_nothing(world):
    agent = await world.booted()
    (row,) = await world.machines()
    before = int(row.boot.launched_at) - int(world.settings.timing.clock_leeway) - 1
    answer = await agent.claim(signed(agent.claims(iat=before, nbf=before)))
    assert answer.status_code == 401
    assert (await nothing_was_handed_out(world, answer, agent)).reason == Reason.TOKEN_EARLY
    refused = await world.events(target=f"machine/{agent.machine.name}", verb="refused")
    assert [event.reason for event in refused] == [Reason.TOKEN_EARLY]


async def test_a_token_is_good_for_one_claim_only(world):
    agent = await world.booted()
    token = agent.token()
    assert (await agent.claim(token)).status_code == 200
    replayed = await agent.claim(token)
    assert replayed.status_code == 403
    assert replayed.json()["reason"] == Reason.TOKEN_REPLAYED
    assert "jit_config" not in replayed.text
    (event,) = await world.events(verb="refused")
    assert event.reason is Reason.TOKEN_REPLAYED
    assert event.actor == f"machine:{agent.machine.id}"


async def test_a_token_that_expired_is_no_longer_good_within_the_leeway_after_its_replay(world):
    agent = await world.booted()
    token = agent.token()
    await agent.claim(token)
    world.pass_time(605)
    assert (await agent.claim(token)).json()["reason"] == Reason.TOKEN_REPLAYED
    world.pass_time(10)
    assert (await agent.claim(token)).json()["reason"] == Reason.TOKEN_EXPIRED


PROVEN_BUT_WRONG = {
    "another app": (
        lambda agent: {"app_name": "app-b", "sub": f"acme:app-b:{agent.machine.name}"},
        Reason.CLAIM_FROM_OTHER_APP,
    ),
    "a Machine of no row": (
        lambda _: {"machine_name": "stranger", "sub": "acme:app-a:stranger"},
        Reason.CLAIM_BY_UNKNOWN_MACHINE,
    ),
    "another Machine of the same name": (
        lambda _: {"machine_id": "ffffffffffffff"},
        Reason.CLAIM_BY_OTHER_MACHINE,
    ),
    "another image": (lambda _: {"image_digest": "sha256:" + "b" * 64}, Reason.CLAIM_WITH_OTHER_IMAGE),
    "an image that Fly does not name": (lambda _: {"image_digest": ""}, Reason.CLAIM_WITH_OTHER_IMAGE),
    "no image at all": (lambda _: {"image_digest": None}, Reason.CLAIM_WITH_OTHER_IMAGE),
}


@pytest.mark.parametrize(
    ("changes", "reason"), PROVEN_BUT_WRONG.values(), ids=[f"from {name}" for name in PROVEN_BUT_WRONG]
)
async def test_a_genuine_token_of_somebody_else_is_refused_and_audited(world, changes, reason):
    agent = await world.booted()
    said = agent.claims(**changes(agent))
    answer = await agent.claim(signed(said))
    assert answer.status_code == 403
    assert (await nothing_was_handed_out(world, answer, agent)).reason == reason
    (event,) = await world.events(target=f"machine/{said['machine_name']}", verb="refused")
    assert (event.reason, event.outcome) == (reason, "refused")
    assert event.actor == f"machine:{said['machine_id']}"


async def test_another_machine_id_does_not_take_the_row_over(world):
    agent = await world.booted()
    (before,) = await world.machines()
    assert before.fly_id == agent.machine.id
    await agent.claim(signed(agent.claims(machine_id="ffffffffffffff")))
    (after,) = await world.machines()
    assert after == before


async def test_another_nonce_gets_nothing_once_the_registration_is_handed_out(world):
    agent = await world.booted()
    assert (await agent.claim()).status_code == 200
    other = await agent.claim(nonce="n" * 43)
    assert (other.status_code, other.json()["reason"]) == (403, Reason.CLAIM_BY_OTHER_NONCE)
    assert (await world.events(verb="refused"))[-1].reason is Reason.CLAIM_BY_OTHER_NONCE
    assert (await agent.claim()).status_code == 200


async def test_the_same_nonce_gets_nothing_once_the_grace_is_over(world):
    agent = await world.booted()
    assert (await agent.claim()).status_code == 200
    world.pass_time(world.settings.timing.claim_grace)
    assert (await agent.claim()).status_code == 200
    world.pass_time(1)
    late = await agent.claim()
    assert (late.status_code, late.json()["reason"]) == (403, Reason.CLAIM_WINDOW_OVER)
    assert (await world.events(verb="refused"))[-1].reason is Reason.CLAIM_WINDOW_OVER


async def test_nobody_gets_the_registration_once_it_is_acknowledged(world):
    agent = await world.booted()
    await agent.take()
    for nonce in (agent.nonce, "n" * 43):
        late = await agent.claim(nonce=nonce)
        assert (late.status_code, late.json()["reason"]) == (403, Reason.CLAIM_WINDOW_OVER)


async def test_a_machine_whose_runner_is_gone_is_told_that_it_is_retired(world):
    agent = await world.booted()
    body = await agent.take()

    def retire(conn):
        for state in (RunnerState.RETIRING, RunnerState.GONE):
            runners.move(conn, body["runner"], state, at=1.0, actor="test", reason=Reason.OPERATOR_RETIRED)

    await world.run(retire)
    answer = await agent.claim()
    assert (answer.status_code, answer.json()["reason"]) == (410, Reason.CLAIM_AFTER_RETIRE)
    assert "jit_config" not in answer.text
    assert (await world.events(verb="refused"))[-1].reason is Reason.CLAIM_AFTER_RETIRE


async def test_a_runner_retired_before_its_claim_leaves_the_machine_waiting(world):
    """The Machine was given nothing: it is a spare now, and the next job's registration may be its own."""
    agent = await world.booted()
    (runner,) = await world.runners()
    await world.run(
        lambda conn: runners.move(
            conn, runner.name, RunnerState.RETIRING, at=1.0, actor="test", reason=Reason.SURPLUS
        )
    )
    answer = await agent.claim()
    assert answer.status_code == 204
    assert answer.content == b""


@pytest.mark.parametrize("gone", [True, False])
async def test_a_machine_that_is_destroyed_or_about_to_be_is_told_so(world, gone):
    agent = await world.booted()

    def end(conn):
        machines.update(conn, agent.machine.name, destroy_sent_at=world.clock.now())
        if gone:
            machines.move(
                conn, agent.machine.name, MachineState.GONE, at=1.0, actor="test", reason=Reason.SURPLUS
            )

    await world.run(end)
    answer = await agent.claim()
    assert (answer.status_code, answer.json()["reason"]) == (410, Reason.CLAIM_AFTER_RETIRE)
    (runner,) = await world.runners()
    assert runner.claimed_at is None


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "no nonce": b"{}",
    "a number": b'{"nonce": 7}',
    "too short": json.dumps({"nonce": "x" * 31}).encode(),
    "too long": json.dumps({"nonce": "x" * 129}).encode(),
    "not ASCII": json.dumps({"nonce": "é" * 43}).encode(),
    "half a surrogate": b'{"nonce": "' + b"\\ud800" * 43 + b'"}',
    "not UTF-8": b"\xff\xfe" * 20,
    "deeply nested": b"[" * 1000,
    "over a kilobyte": json.dumps({"nonce": "x" * 43, "more": "y" * 1024}).encode(),
    "ten megabytes": b'{"nonce": "' + b"x" * 10_000_000 + b'"}',
}


async def test_a_claim_without_a_fit_nonce_is_malformed_and_uses_up_nothing(world):
    agent = await world.booted()
    token = agent.token()
    for name, body in BODIES.items():
        answer = await world.http.post(
            "/v1/claim", content=body, headers={"Authorization": f"Bearer {token}"}
        )
        assert answer.status_code == 400, name
        assert Problem.model_validate(answer.json()).reason == Reason.CLAIM_MALFORMED, name
        assert "xxxx" not in answer.text, name
    assert (await agent.claim(token)).status_code == 200


async def test_a_claim_without_a_bearer_token_is_not_heard(world):
    agent = await world.booted()
    for header in ({}, *({"Authorization": text} for text in ("Bearer", "Bearer ", "Basic abc", "token"))):
        answer = await world.http.post("/v1/claim", json={"nonce": agent.nonce}, headers=header)
        assert answer.status_code == 401, header
        assert answer.json()["reason"] == Reason.TOKEN_MISSING, header
    assert (await nothing_was_handed_out(world, answer, agent)).reason == Reason.TOKEN_MISSING


async def test_an_acknowledgement_with_a_forged_hook_token_removes_nothing(world):
    agent = await world.booted()
    body = (await agent.claim()).json()
    answer = await world.post("/v1/claim/ack", "guessed", {"nonce": agent.nonce})
    assert (answer.status_code, answer.json()["reason"]) == (403, Reason.HOOK_TOKEN_WRONG)
    assert (await agent.claim()).json()["registration"] == body["registration"]


async def test_no_secret_of_a_claim_reaches_the_log_the_store_or_a_refusal(world, caplog, capsys):
    agent = await world.booted()
    token = agent.token()
    body = (await agent.claim(token)).json()
    refused = await agent.claim(token)
    secrets = [token, body["hook_token"], body["registration"]["jit_config"], agent.nonce]
    printed = capsys.readouterr()
    seen = "\n".join((caplog.text, printed.out, printed.err, refused.text, await world.everything_stored()))
    assert [secret for secret in secrets if secret in seen] == []


async def test_every_answer_tells_the_dispatchers_time(world):
    agent = await world.booted()
    for answer in (await agent.claim("forged"), await agent.claim(), await agent.claim(nonce="x")):
        assert float(answer.headers["x-fly-gha-now"]) == pytest.approx(world.clock.now(), abs=0.001)
