"""The boot agent on its way to a registration: every answer of Fly's socket and of the dispatcher."""

import itertools
import signal
import sys

import pytest
from boot_world import BOOT, HOOK_TOKEN, JIT_CLAIM


def test_a_claim_is_made_as_the_contract_says_and_acknowledged(world):
    dispatcher = world.dispatch((200, JIT_CLAIM))

    ended = world.run()

    assert ended.code == 0, ended.err
    claim, ack, *hooks = dispatcher.seen
    assert (claim.path, claim.bearer) == ("/v1/claim", world.fly.tokens[0])
    assert claim.body["agent"] == "fly-gha-boot/1"
    assert len(claim.body["nonce"]) >= 43
    assert (ack.path, ack.bearer, ack.body) == (
        "/v1/claim/ack",
        HOOK_TOKEN,
        {"nonce": claim.body["nonce"]},
    )
    assert [hook.path for hook in hooks] == ["/v1/hooks/online", "/v1/hooks/started", "/v1/hooks/completed"]
    assert world.fly.audiences == [dispatcher.url]


def test_the_file_runs_as_the_image_starts_it(world):
    world.dispatch((200, JIT_CLAIM))
    world.begin(command=[sys.executable, "-I", "-S", str(BOOT)])
    assert world.end().code == 0


def test_without_the_socket_the_machine_ends_and_says_so(world):
    world.dispatch((200, JIT_CLAIM))
    world.fly.close()
    world.fly = None

    ended = world.run()

    assert ended.code == 20
    assert not world.dispatcher.seen
    assert "FileNotFoundError" in ended.details("exit")[0]


@pytest.mark.parametrize("answer", [(500, "no"), (200, "<html>not a token</html>"), (200, "")])
def test_a_socket_that_gives_no_token_ends_the_machine(world, answer):
    world.dispatch((200, JIT_CLAIM))
    world.fly.answers = [answer] * 50

    ended = world.run()

    assert ended.code == 20
    assert len(world.fly.audiences) == 4
    assert not world.dispatcher.seen


def test_a_socket_that_fails_once_is_asked_again(world):
    world.dispatch((200, JIT_CLAIM))
    world.fly.answers = [(500, "not yet")]
    assert world.run().code == 0


def test_nothing_yet_is_asked_again_with_a_new_token_and_the_same_nonce(world):
    world.dispatch((204, None), (204, None), (200, JIT_CLAIM))

    assert world.run().code == 0

    claims = world.dispatcher.of("/v1/claim")
    assert [claim.bearer for claim in claims] == world.fly.tokens
    assert len(set(world.fly.tokens)) == 3
    assert len({claim.body["nonce"] for claim in claims}) == 1


def test_a_dispatcher_that_answers_at_once_is_not_asked_in_a_hot_loop(world):
    world.dispatch((204, None))

    assert world.run({"FLY_GHA_CLAIM_DEADLINE_S": "1"}, claim_gap=0.25).code == 22

    at = [claim.at for claim in world.dispatcher.of("/v1/claim")]
    assert 2 <= len(at) <= 5
    assert all(later - earlier > 0.2 for earlier, later in itertools.pairwise(at))


def test_a_token_that_was_early_is_minted_anew(world):
    world.dispatch((401, {"reason": "token_early"}), (200, JIT_CLAIM))

    ended = world.run()

    assert ended.code == 0
    assert ended.details("claim") == ["401 token_early"]
    assert len(set(world.fly.tokens)) == 2


def test_tokens_that_are_never_accepted_end_the_machine_after_a_few_tries(world):
    world.dispatch((401, {"reason": "token_expired"}))

    ended = world.run()

    assert ended.code == 21
    assert len(world.dispatcher.seen) == 5
    assert "token_expired" in ended.details("exit")[0]


@pytest.mark.parametrize(
    ("status", "reason", "code"),
    [
        (403, "claim_by_other_machine", 21),
        (409, "claim_by_other_nonce", 21),
        (410, "claim_after_retire", 24),
    ],
)
def test_a_refusal_ends_the_machine_at_once(world, status, reason, code):
    world.dispatch((status, {"reason": reason, "what": "x", "why": "y"}))

    ended = world.run()

    assert ended.code == code
    assert len(world.dispatcher.seen) == 1
    assert reason in ended.details("exit")[0]


MALFORMED = {
    "not JSON": b"<html>",
    "no registration": {**JIT_CLAIM, "registration": None},
    "unknown kind": {**JIT_CLAIM, "registration": {"kind": "magic"}},
    "jit that is no text": {**JIT_CLAIM, "registration": {"kind": "jit", "jit_config": 5}},
    "header injection": {**JIT_CLAIM, "hook_token": "a\r\nX: b"},
    "no deadline": {**JIT_CLAIM, "online_deadline_s": None},
    "token without labels": {**JIT_CLAIM, "registration": {"kind": "token", "token": "x"}},
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_that_is_no_registration_is_doubted_then_fatal(world, answer):
    world.dispatch((200, answer))

    ended = world.run(doubts=2)

    assert ended.code == 29
    assert world.dispatcher.paths() == ["/v1/claim"] * 2


def test_a_malformed_answer_may_heal(world):
    world.dispatch((200, b"{}"), (404, b""), (200, JIT_CLAIM))
    assert world.run().code == 0


@pytest.mark.parametrize(
    ("offset", "answer"),
    [(-4000, (200, JIT_CLAIM)), (4000, (200, JIT_CLAIM)), (4000, (401, {"reason": "token_expired"}))],
)
def test_a_wrong_clock_ends_the_machine_whatever_the_answer(world, offset, answer):
    world.dispatch(answer).clock_offset = offset

    ended = world.run({"FLY_GHA_CLOCK_SKEW_MAX_S": "300"})

    assert ended.code == 23
    assert world.dispatcher.paths() == ["/v1/claim"]
    assert not (world.notes / "job_env").exists()


def test_a_clock_within_its_limit_is_good_enough_and_a_missing_stamp_is_no_evidence(world):
    world.dispatch((503, None), (200, JIT_CLAIM)).clock_offset = 200
    assert world.run().code == 0
    world.dispatcher.clock_offset = None
    assert world.run().code == 0


def test_an_acknowledgement_may_get_lost_but_a_retired_runner_is_not_started(world):
    world.dispatch((200, JIT_CLAIM)).statuses["/v1/claim/ack"] = 503
    assert world.run().code == 0

    world.dispatcher.statuses["/v1/claim/ack"] = 410
    (world.notes / "job_env").unlink()
    assert world.run().code == 24
    assert not (world.notes / "job_env").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_the_claim_ends_the_machine_at_once(world, number):
    world.dispatch((200, JIT_CLAIM)).hang.add("claim")
    world.begin()
    world.until(lambda: world.dispatcher.seen)

    world.process.send_signal(number)
    world.process.send_signal(number)

    ended = world.end(5)
    assert ended.code == 24
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    "env",
    [
        {"FLY_GHA_URL": ""},
        {"FLY_GHA_URL": "ftp://dispatcher"},
        {"FLY_GHA_URL": "http://dispatcher:port"},
        {"FLY_GHA_CLAIM_DEADLINE_S": "soon"},
    ],
)
def test_a_setting_that_cannot_be_read_ends_the_machine_at_once(world, env):
    ended = world.run(env)
    assert ended.code == 29
    assert len(ended.details("exit")) == 1
