"""UpstreamError says everything in one line, and a bare status has one class."""

import pytest

from runners.upstream.clock import SystemClock
from runners.upstream.errors import ErrorClass, UpstreamError, class_of_status, one_line


def test_an_upstream_error_says_what_failed_why_and_what_to_do_in_one_line():
    error = UpstreamError(
        upstream="fly",
        error_class=ErrorClass.TRY_LATER,
        attempted="create Machine x in app y",
        why="Fly's own\nerror",
        status=503,
        answered=False,
        retry_at=1234.0,
        request_id="01H",
        next_step="look it up by name",
    )
    assert str(error) == (
        "fly: could not create Machine x in app y: Fly's own error (HTTP 503) [try_later] the outcome is "
        "unknown, it may have happened; not before 1234; request 01H; next: look it up by name"
    )
    assert not error.answered


def test_a_bare_error_says_only_what_is_known():
    error = UpstreamError(upstream="github", error_class=ErrorClass.REFUSED, attempted="mint", why="no")
    assert str(error) == "github: could not mint: no [refused]"
    assert error.answered


def test_other_peoples_text_cannot_break_or_flood_a_line():
    assert one_line("a\r\n\x1b[31mb\u202e  c") == "a [31mb c"
    assert len(one_line("x" * 5000)) == 1000


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, None),
        (204, None),
        (302, ErrorClass.OUR_FAULT),
        (400, ErrorClass.OUR_FAULT),
        (401, ErrorClass.REFUSED),
        (403, ErrorClass.REFUSED),
        (404, ErrorClass.NOT_FOUND),
        (408, ErrorClass.TRY_LATER),
        (409, ErrorClass.REFUSED),
        (410, ErrorClass.NOT_FOUND),
        (415, ErrorClass.OUR_FAULT),
        (422, ErrorClass.REFUSED),
        (429, ErrorClass.TRY_LATER),
        (500, ErrorClass.TRY_LATER),
        (599, ErrorClass.TRY_LATER),
    ],
)
def test_a_bare_status_has_one_class(status, expected):
    assert class_of_status(status) is expected


async def test_the_system_clock_moves_forward():
    clock = SystemClock()
    before = clock.now()
    await clock.sleep(-1)
    assert clock.now() >= before > 1_700_000_000
