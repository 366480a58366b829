"""A token: its form, its hash, and what may stand in it."""

import re

import pytest
from pydantic import SecretStr, ValidationError
from token_world import NOW, Entropy, token

from mcp_server.caller import Caller, Scope, Sight
from mcp_server.tokens import Token, presented
from runners.api import access

FORM = re.compile(r"fgs_[a-z2-7]{8}_[A-Za-z0-9_-]{43}")


def test_a_token_has_the_form_of_the_dispatchers_tokens_with_a_prefix_of_its_own():
    ours = token(Entropy()).text.get_secret_value()
    theirs = access.new_token(Entropy(), name="x", scopes=("read",), now=NOW).text.get_secret_value()
    assert FORM.fullmatch(ours)
    assert ours == f"fgs_{theirs.removeprefix('fgr_')}"


def test_only_the_hash_of_the_secret_is_kept():
    made = token()
    secret = made.text.get_secret_value().split("_", 2)[2]
    assert secret not in made.token.model_dump_json()
    assert made.token.secret_hash not in repr(made)
    assert secret not in repr(made)


def test_a_token_proves_itself_and_no_other():
    one, other = token(Entropy("one")), token(Entropy("other"))
    given = presented(one.text)
    assert given.id == one.token.id
    assert given.proves(one.token.secret_hash)
    assert not given.proves(other.token.secret_hash)
    assert not given.proves(None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "fgs_",
        "fgs_abcdefgh_short",
        "fgr_abcdefgh_" + "A" * 43,
        "fgs_ABCDEFGH_" + "A" * 43,
        "fgs_abcdefgh_" + "A" * 44,
        "fgs_abcdefgh_" + "A" * 43 + "\n",
        " fgs_abcdefgh_" + "A" * 43,
        "ghp_" + "A" * 36,
        "fgs_abcdefgh_" + "ä" * 43,
        "x" * 1_000_000,
    ],
)
def test_what_has_another_form_is_no_token(text):
    assert presented(SecretStr(text)) is None


def test_its_bearer_is_who_it_says():
    made = token(repositories=("acme/web", "acme/api"), pools=("gha-small",), tools=("queue_list",)).token
    assert made.caller() == Caller(
        made.id,
        "ci",
        "web",
        frozenset({Scope.JOBS}),
        Sight(("acme/api", "acme/web"), ("gha-small",)),
        frozenset({"queue_list"}),
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "evil\u202eeman"},
        {"name": "two\nlines"},
        {"project": ""},
        {"project": "a b"},
        {"project": "../etc"},
        {"scopes": ()},
        {"scopes": ("operate",)},
        {"repositories": ("acme",)},
        {"repositories": ("acme/web,acme/api",)},
        {"repositories": ("acme/web/x",)},
        {"repositories": ("acme/w\u00e9b",)},
        {"repositories": tuple(f"acme/{number}" for number in range(201))},
        {"repositories": tuple(f"acme/{number:090}" for number in range(190))},
        {"pools": ("GHA",)},
        {"pools": ("",)},
        {"tools": ("rm -rf",)},
        {"now": float("nan")},
        {"now": -1.0},
        {"expires_at": float("inf")},
        {"expires_at": NOW},
    ],
    ids=repr,
)
def test_what_cannot_be_asked_for_is_refused_without_being_quoted(wrong):
    with pytest.raises(ValidationError) as refused:
        token(**wrong)
    assert "input_value" not in str(refused.value)


def test_a_token_ends_at_its_end_and_not_before():
    made: Token = token(expires_at=NOW + 10).token
    assert made.valid(NOW + 9.999)
    assert not made.valid(NOW + 10)
    assert token().token.valid(NOW + 1e9)
