from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.wire.times import maybe_rfc3339, rfc3339, unix_seconds


def test_a_time_is_written_in_utc_with_milliseconds():
    assert rfc3339(1_795_178_096.789) == "2026-11-20T12:34:56.789Z"
    assert rfc3339(0) == "1970-01-01T00:00:00.000Z"


def test_a_time_that_is_not_known_stays_unknown():
    assert maybe_rfc3339(None) is None


@given(st.floats(min_value=0, max_value=253_402_300_799, allow_nan=False))
def test_every_time_survives_the_wire_to_the_millisecond(unix):
    assert unix_seconds(rfc3339(unix)) == pytest.approx(
        unix, abs=0.0006
    )  # half a millisecond, and a float that far from 1970


@given(st.floats(allow_nan=False))
def test_no_time_is_too_far_off_to_be_written(unix):
    assert datetime.fromisoformat(rfc3339(unix)).tzinfo == UTC


@pytest.mark.parametrize("text", ["", "yesterday", "2026-11-20T12:00:00", "-1", "nan", "inf", "1e300"])
def test_a_text_that_is_no_time_is_refused(text):
    with pytest.raises(ValueError):
        unix_seconds(text)
