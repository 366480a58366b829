"""Who a credential is: known, unknown, ended; and what happens when the token file does."""

import os

import pytest
from pydantic import SecretStr
from structlog.testing import capture_logs
from token_world import NOW, Entropy, keep, revoke, token

from mcp_server.caller import Identity, Scope, Sight
from mcp_server.identity import RETRY_S, LocalIdentity, TokenIdentity
from mcp_server.refused import Refused
from mcp_server.rule import ErrorClass, Rule


@pytest.fixture
def path(tmp_path):
    return tmp_path / "tokens.json"


@pytest.fixture
def identity(path) -> Identity:
    return TokenIdentity(path)


async def rule(identity, credential, now=NOW):
    with pytest.raises(Refused) as refused:
        await identity.identify(credential, now)
    text = str(refused.value)
    assert refused.value.next_step
    if credential is not None and credential.get_secret_value():
        assert credential.get_secret_value() not in text
    return refused.value.rule


async def test_a_bearer_is_known_by_their_token(path, identity):
    made = token(pools=("gha-small",))
    keep(path, made)
    assert await identity.identify(made.text, NOW) == made.token.caller()


@pytest.mark.parametrize("nothing", [None, SecretStr("")])
async def test_nothing_presented_is_token_missing(identity, nothing):
    assert await rule(identity, nothing) is Rule.TOKEN_MISSING


async def test_a_token_of_somebody_else_is_unknown_whatever_its_form(path, identity):
    made = token()
    keep(path, made)
    text = made.text.get_secret_value()
    wrong = [
        token(Entropy("another")).text,
        SecretStr(text[:-1] + ("A" if text[-1] != "A" else "B")),
        SecretStr("fgr_" + text[4:]),
        SecretStr(text + "x"),
        SecretStr("x" * 100_000),
        SecretStr(made.token.secret_hash),
    ]
    for credential in wrong:
        assert await rule(identity, credential) is Rule.TOKEN_UNKNOWN


async def test_a_token_that_ended_is_told_so_and_only_to_its_bearer(path, identity):
    expired, revoked = token(Entropy("a"), expires_at=NOW + 1), token(Entropy("b"))
    keep(path, expired, revoked)
    revoke(path, revoked)
    assert (await identity.identify(expired.text, NOW + 0.999)).id == expired.token.id
    assert await rule(identity, expired.text, NOW + 1) is Rule.TOKEN_ENDED
    assert await rule(identity, revoked.text) is Rule.TOKEN_ENDED
    forged = SecretStr(f"fgs_{revoked.token.id}_" + "A" * 43)
    assert await rule(identity, forged) is Rule.TOKEN_UNKNOWN


async def test_a_token_made_or_revoked_while_the_server_runs_counts_from_the_next_call_on(path, identity):
    first = token()
    assert await rule(identity, first.text) is Rule.TOKEN_UNKNOWN
    keep(path, first)
    assert (await identity.identify(first.text, NOW)).id == first.token.id
    revoke(path, first)
    assert await rule(identity, first.text) is Rule.TOKEN_ENDED


async def test_an_unchanged_file_is_not_read_again(path, identity, monkeypatch):
    made = token()
    keep(path, made)
    await identity.identify(made.text, NOW)
    monkeypatch.setattr(os, "open", None)
    for second in range(10):
        assert await identity.identify(made.text, NOW + second)


@pytest.mark.parametrize(
    "break_it",
    [
        lambda path: path.write_text("garbage"),
        lambda path: path.unlink(),
        lambda path: path.chmod(0o644),
        lambda path: (path.unlink(), path.mkdir()),
        lambda path: (path.rename(f"{path}.old"), path.symlink_to(path)),
    ],
    ids=["garbage", "gone", "readable by others", "a directory", "a loop"],
)
async def test_when_the_file_breaks_the_last_good_reading_stays_and_the_problem_is_told(
    path, identity, break_it
):
    made, other = token(), token(Entropy("other"))
    keep(path, made)
    await identity.identify(made.text, NOW)
    assert identity.problem(NOW) is None
    with capture_logs() as logs:
        break_it(path)
        for _ in range(3):
            assert (await identity.identify(made.text, NOW)).id == made.token.id
        assert await rule(identity, other.text) is Rule.TOKEN_UNKNOWN
    # Health is open to anybody, who need not know where the tokens are.
    assert identity.problem(NOW)
    assert str(path.parent) not in identity.problem(NOW)
    assert identity.readable
    assert [line["event"] for line in logs] == ["tokens_unusable"]
    assert made.token.secret_hash not in str(logs)


async def test_a_file_that_was_mended_is_believed_again(path, identity):
    made = token()
    keep(path, made)
    good = path.read_bytes()
    await identity.identify(made.text, NOW)
    path.write_text("garbage")
    assert identity.problem(NOW)
    path.write_bytes(good)
    assert identity.problem(NOW) is None
    assert (await identity.identify(made.text, NOW)).id == made.token.id


async def test_an_expiry_counts_even_while_the_file_is_broken(path, identity):
    made = token(expires_at=NOW + 5)
    keep(path, made)
    await identity.identify(made.text, NOW)
    path.write_text("garbage")
    assert await rule(identity, made.text, NOW + 5) is Rule.TOKEN_ENDED


async def test_without_any_good_reading_nobody_is_told_that_their_token_is_wrong(path, identity):
    path.write_text("garbage")
    path.chmod(0o600)
    assert await rule(identity, token().text) is Rule.TOKENS_UNREADABLE
    assert not identity.readable
    with pytest.raises(Refused) as refused:
        await identity.identify(token().text, NOW)
    assert refused.value.error_class is ErrorClass.INTERNAL


async def test_no_file_at_all_means_that_nobody_was_given_a_token_yet(identity):
    assert await rule(identity, token().text) is Rule.TOKEN_UNKNOWN
    assert identity.readable
    assert "token create" in identity.problem(NOW)


async def test_a_file_that_could_not_be_opened_for_a_moment_is_tried_again(path, identity, monkeypatch):
    made = token()
    keep(path, made)

    def none_left(*_arguments):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", none_left)
        assert await rule(identity, made.text) is Rule.TOKENS_UNREADABLE
    assert await rule(identity, made.text, NOW + RETRY_S / 2) is Rule.TOKENS_UNREADABLE
    assert (await identity.identify(made.text, NOW + RETRY_S)).id == made.token.id


async def test_a_clock_that_went_back_does_not_keep_a_broken_reading(path, identity, monkeypatch):
    made = token()
    keep(path, made)
    with monkeypatch.context() as patched:
        patched.setattr(os, "open", lambda *_: (_ for _ in ()).throw(OSError(24, "Too many open files")))
        assert await rule(identity, made.text) is Rule.TOKENS_UNREADABLE
    assert (await identity.identify(made.text, NOW - 3600)).id == made.token.id


async def test_on_standard_input_there_is_one_caller_who_needs_no_token():
    local: Identity = LocalIdentity()
    caller = await local.identify(None, NOW)
    assert caller == await local.identify(SecretStr("anything"), NOW)
    assert (caller.id, caller.scopes, caller.sight.everything) == ("local", frozenset(Scope), True)


async def test_the_local_caller_can_be_limited():
    sight = Sight(pools=("gha-small",))
    caller = await LocalIdentity(sight, frozenset({Scope.CAPACITY})).identify(None, NOW)
    assert (caller.sight, caller.scopes) == (sight, {Scope.CAPACITY})
