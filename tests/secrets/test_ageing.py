"""Late, in words: what an operator reads of a credential that ends."""

import pytest

from runners.model.timing import Timing
from runners.secrets.ageing import in_words, late_below


def test_a_token_is_late_when_publisher_and_reader_had_their_chances():
    assert late_below(Timing()) == 480
    assert late_below(Timing(token_refresh_margin=100)) == 50, "never more than half the margin early"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (20 * 86_400, "20 days"),
        (86_400, "24 h"),
        (480, "8 min"),
        (119, "119 s"),
        (0, "0 s"),
        (-3 * 86_400, "3 days ago"),
    ],
)
def test_a_time_is_told_in_the_unit_that_suits_it(seconds, words):
    assert in_words(seconds) == words
