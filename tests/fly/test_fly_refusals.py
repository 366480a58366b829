"""Every refusal that Fly documents or others recorded has its exception, by status, then code, then text."""

import pytest

from fly import errors
from fly.refusals import RULES, TEXT_MAX, classify, read_refusal, readable

AS_SEEN = [
    (422, "insufficient_capacity", "could not find a candidate host", errors.FlyNoCapacity),
    (422, "", "could not find a candidate host", errors.FlyNoCapacity),
    (422, "", "not enough capacity in region gru", errors.FlyNoCapacity),
    (503, "", "unable to find a host for this machine", errors.FlyNoCapacity),
    (409, "", "aborted: no capacity", errors.FlyNoCapacity),
    (
        412,
        "volume_placement_capacity",
        "insufficient resources to create new machine with existing volume id 'vol_1'",
        errors.FlyVolumeHostFull,
    ),
    (
        412,
        "",
        "insufficient resources to create new machine with existing volume id 'vol_1'",
        errors.FlyVolumeHostFull,
    ),
    (
        409,
        "",
        "aborted: could not reserve resource for machine: insufficient memory available on the current host",
        errors.FlyHostFull,
    ),
    (409, "", "aborted: insufficient IPs available on host", errors.FlyHostFull),
    (409, "", "aborted: insufficient resources available to fulfill request: cpus", errors.FlyHostFull),
    (400, "", "deploys to this host are temporarily disabled", errors.FlyHostDraining),
    (503, "", "deploys to this host are temporarily disabled", errors.FlyHostDraining),
    (
        409,
        "",
        'already_exists: unique machine name violation, machine ID 148e already exists with name "x"',
        errors.FlyNameTaken,
    ),
    (409, "", "aborted: machine update failed due to concurrent update", errors.FlyConflict),
    (
        409,
        "",
        "machine ID 148e lease currently held by u@tokens.fly.io, expires at 2026-01-01T00:00:00Z",
        errors.FlyConflict,
    ),
    (
        422,
        "",
        "Your organization has reached its machine limit. Please contact billing@fly.io",
        errors.FlyMachineLimit,
    ),
    (400, "", "invalid_argument: bad region", errors.FlyInvalid),
    (422, "", "unsupported guest cpu kind", errors.FlyInvalid),
    (
        400,
        "",
        "json: cannot unmarshal array into Go value of type main.stopRequest",
        errors.FlyInvalid,
    ),
    (408, "", "", errors.FlyTimeout),
    (
        408,
        "",
        "deadline_exceeded: machine failed to reach desired state, started, currently stopped",
        errors.FlyTimeout,
    ),
    (429, "", "", errors.FlyRateLimited),
    (429, "unknown", "anything", errors.FlyRateLimited),
    (503, "", "rate limit exceeded", errors.FlyRateLimited),
    (412, "", "failed_precondition: machine still active, refusing to start", errors.FlyNotReady),
    (412, "", "failed_precondition: machine getting replaced, refusing to start", errors.FlyNotReady),
    (
        400,
        "",
        "failed_precondition: unable to start machine from current state: 'created'",
        errors.FlyNotReady,
    ),
    (422, "", "machine still attempting to start", errors.FlyNotReady),
    (401, "", "Authenticate: token validation error", errors.FlyUnauthorized),
    (403, "", "unauthorized", errors.FlyForbidden),
    (404, "", "", errors.FlyNotFound),
    (500, "unknown", "", errors.FlyServerError),
    (502, "", "", errors.FlyServerError),
    (504, "", "", errors.FlyServerError),
    (302, "", "", errors.FlyUnexpected),
    (418, "", "I'm a teapot", errors.FlyUnexpected),
]


@pytest.mark.parametrize(("status", "code", "text", "expected"), AS_SEEN)
def test_each_refusal_seen_in_the_wild_has_its_meaning(status, code, text, expected):
    assert classify(status, code, text) is expected
    assert classify(status, code, text.upper()) is expected


def test_every_row_of_the_table_is_there_for_something_seen():
    for rule in RULES:
        assert any(
            rule.error is expected
            and (not rule.statuses or status in rule.statuses)
            and rule.code in ("", code)
            and rule.text in text.lower()
            for status, code, text, expected in AS_SEEN
        ), rule


def test_a_taken_name_tells_the_id_of_its_machine():
    text = 'unique machine name violation, machine ID 148ed193f01189 already exists with name "x"'
    assert errors.FlyNameTaken("create", status=409, text=text).machine_id == "148ed193f01189"
    assert errors.FlyNameTaken("create", status=409, text="unique machine name violation").machine_id == ""


def test_only_answers_that_leave_the_outcome_open_are_ambiguous():
    ambiguous = {
        errors.FlyUnanswered,
        errors.FlyBadAnswer,
        errors.FlyTimeout,
        errors.FlyServerError,
    }
    assert {error for error in errors.FlyError.__subclasses__() if error.ambiguous} == ambiguous


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        (b'{"error":"no","status":"unknown"}', "application/json", ("unknown", "no")),
        (b'{"message":"no"}', "application/json", ("", "no")),
        (b'{"error":"","message":"no"}', "application/json", ("", "no")),
        (b'{"error":{"a":1},"status":5}', "application/json", ("", "")),
        (b'"no"', "application/json", ("", "no")),
        (b"[]", "application/json", ("", "")),
        (b"", "", ("", "")),
        (b"  ", "", ("", "")),
        (b"no route to host\n", "text/plain", ("", "no route to host")),
        (b"<html>rate limit exceeded</html>", "text/html; charset=utf-8", ("", "")),
        (b"\xff\xfe", "text/plain", ("", "��")),
    ],
)
def test_an_error_body_is_read_whatever_its_shape(body, content_type, expected):
    assert read_refusal(body, content_type) == expected


def test_kept_text_is_one_bounded_printable_line():
    assert readable("a\r\nb\x1b[0m") == "a b [0m"
    assert len(readable("x" * 5000)) == TEXT_MAX


def test_a_fly_error_says_what_was_attempted_and_what_fly_said():
    error = errors.FlyNoCapacity("create Machine x", status=422, code="insufficient_capacity", text="full")
    assert str(error) == "could not create Machine x: 422, insufficient_capacity, full"
    assert str(errors.FlyUnanswered("start Machine x")) == "could not start Machine x: FlyUnanswered"
