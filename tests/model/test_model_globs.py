"""Globs: what matches, what never can, and what two lists allow together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.model.globs import (
    NOTHING,
    allowed_by_both,
    example_of,
    matches,
    why_no_repository,
    why_no_workflow,
)

# Few letters, so that patterns and texts meet often.
NAMES = st.text("ab-", min_size=1, max_size=5)
TEXTS = st.builds("{}/{}".format, NAMES, NAMES)
PIECES = st.sampled_from(["a", "b", "-", "*", "?", "[ab]", "[!a]", "[a-b]"])
PARTS = st.lists(PIECES, max_size=5).map("".join)
PATTERNS = st.one_of(st.builds("{}/{}".format, PARTS, PARTS), PARTS)
LISTS = st.lists(PATTERNS, min_size=1, max_size=3).map(tuple)


@given(LISTS, LISTS, TEXTS)
def test_a_list_made_of_two_matches_what_both_of_them_match(one, other, text):
    both = allowed_by_both(one, other)
    assert matches(both, text) == (matches(one, text) and matches(other, text))


@given(LISTS, TEXTS)
def test_an_empty_list_allows_all(one, text):
    assert matches(allowed_by_both(one, ()), text) == matches(one, text)
    assert allowed_by_both((), ()) == ()


def test_lists_without_anything_in_common_allow_nothing_rather_than_all():
    both = allowed_by_both(("acme/web",), ("acme/api", "other/*"))
    assert both == (NOTHING,)
    assert not matches(both, "acme/web")


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (["acme/*"], ["acme/web-*"], ["acme/web-*"]),
        (["acme/*", "*"], ["acme/web"], ["acme/web"]),
        (["acme/a*"], ["acme/*b"], ["acme/a*b"]),
        (["ACME/Web"], ["*/w??"], ["acme/web"]),
    ],
)
def test_what_two_lists_allow_is_written_as_an_operator_would(one, other, both):
    assert list(allowed_by_both(tuple(one), tuple(other))) == both


@given(PATTERNS.filter(lambda pattern: not why_no_repository(pattern)))
def test_an_example_of_a_pattern_matches_it(pattern):
    assert matches([pattern], example_of(pattern))


@given(PATTERNS, TEXTS)
def test_a_pattern_that_matches_a_repository_is_never_called_impossible(pattern, text):
    if matches([pattern], text):
        assert not why_no_repository(pattern)
        assert not why_no_repository(pattern, text.partition("/")[0])


@pytest.mark.parametrize(
    "pattern", ["acme/web/.github/workflows/ci.yml", "acme/*", "*/ci.y*ml", "*", "acme/*/release-?.yaml"]
)
def test_a_workflow_pattern_that_can_match_a_file_is_taken(pattern):
    assert not why_no_workflow(pattern)


@pytest.mark.parametrize("pattern", ["", "a b", "/acme/*", "acme/web/ci.yml", "acme/*/ci.txt", "*@main"])
def test_a_workflow_pattern_that_can_match_no_file_says_what_one_looks_like(pattern):
    assert why_no_workflow(pattern).startswith("a pattern for owner/name/.github/workflows/FILE.yml")
