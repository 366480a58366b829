"""What a record may quote of arguments: bounded, harmless to look at, and never a credential."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_server.audit.masking import (
    MASKED,
    MORE,
    NUMBER,
    QUOTED_MAX,
    READ_MAX,
    TEXT_MAX,
    masked,
    masked_text,
)
from mcp_server.credentials import SECRET_PREFIXES, looks_secret

TOKEN = "ghp_" + "a1B2" * 9
ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_what_is_harmless_is_quoted_as_it_is():
    asked = {
        "pool": "gha-medium",
        "limit": 10,
        "exact": True,
        "share": 0.5,
        "labels": ["a", "b"],
        "none": None,
    }
    assert masked(asked) == asked


@pytest.mark.parametrize(
    "text",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        f"https://x-access-token:{TOKEN}@github.com/",
        "FlyV1 fm2_lJPECAAAAAAAA",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE",
        f"gh\u200bp_{'a1B2' * 9}",
        "x" * 150 + " " + TOKEN,
    ],
)
def test_a_credential_is_masked_wherever_it_stands(text):
    assert masked({"repository": text})["repository"] == MASKED
    assert masked({"deep": {"er": [text]}}) == {"deep": {"er": [MASKED]}}
    assert masked({text: 1}) == {MASKED: 1}
    assert masked_text(text) == MASKED


@pytest.mark.parametrize(
    "name", ["token", "GITHUB_TOKEN", "api_key", "Authorization", "client-secret", "password"]
)
def test_an_argument_that_is_named_like_a_credential_is_masked_whatever_it_looks_like(name):
    assert masked({name: "hunter2"}) == {name: MASKED}
    assert masked({name: ["hunter2"]}) == {name: MASKED}
    assert masked({"max_tokens": 100}) == {"max_tokens": 100}


def test_long_deep_and_wide_arguments_are_cut():
    assert len(masked({"text": "x" * 1_000_000})["text"]) == TEXT_MAX
    assert len(masked({"text": ("\u200b" * 2000) + "x" * 2000})["text"]) <= TEXT_MAX
    wide = masked({str(number): number for number in range(10_000)})
    assert len(wide) <= 101
    assert wide[MORE] == MORE
    deep = current = {}
    for _ in range(500):
        current["in"] = {}
        current = current["in"]
    assert json.dumps(masked(deep)).count("in") < 10


@pytest.mark.parametrize("char", ["x", "\u00e9", "\U0001f600"])
@pytest.mark.parametrize("length", [10, 100, 650])
def test_however_much_text_was_sent_a_record_stays_small(char, length):
    asked = {f"{char * 20}{number}": {"deep": [char * length] * 3} for number in range(100)}
    quoted = masked(asked)
    assert len(json.dumps(quoted)) < 2 * QUOTED_MAX
    assert MORE in json.dumps(quoted)


def test_what_is_behind_much_text_is_not_looked_at_and_not_quoted():
    asked = {f"a{number}": f"{number} {TOKEN} {'x' * 2000}" for number in range(100)}
    quoted = masked(asked)
    assert TOKEN not in json.dumps(quoted)
    assert 0 < (list(quoted.values()).count(MASKED) - 1) * 2000 <= READ_MAX


def test_numbers_that_json_cannot_hold_are_masked():
    asked = {"a": float("nan"), "b": float("inf"), "c": 10**5000, "d": -(10**400)}
    assert masked(asked) == dict.fromkeys("abcd", NUMBER)


@settings(max_examples=40)
@given(st.dictionaries(st.text(), ANY, max_size=5))
def test_whatever_was_sent_the_record_is_json_bounded_and_on_one_line(asked):
    text = json.dumps(masked(asked), allow_nan=False, ensure_ascii=False)
    assert len(text) < 101 * (TEXT_MAX + 64 + 10) * 6
    text.encode()
    assert not set(text) & set("\n\r\x1b\u202e\u2028\u200b")


@given(st.sampled_from(SECRET_PREFIXES), st.text(alphabet="abcdef0123456789", min_size=40), st.text())
def test_nothing_that_looks_like_a_credential_is_left(prefix, rest, around):
    quoted = masked({"x": f"{prefix}{rest} {around}"})["x"]
    assert not looks_secret(quoted)
