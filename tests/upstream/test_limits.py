"""When to call again, read from every kind of rate-limit answer."""

import gzip

import httpx
import pytest

from runners.upstream.limits import LONGEST_PAUSE_S, rate_limited_until

NOW = 1_760_000_000.0


def until(status, headers=None, body=b""):
    return rate_limited_until(status, httpx.Headers(headers or {}), body, now=NOW, pause=60)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"retry-after": "30"}, NOW + 30),
        ({"retry-after": "0"}, NOW),
        ({"retry-after": "Thu, 09 Oct 2025 08:54:20 GMT"}, NOW + 60),
        ({"retry-after": "Thu, 09 Oct 2025 08:00:00 GMT"}, NOW),
        ({"retry-after": "soon"}, NOW + 60),
        ({"retry-after": "-5"}, NOW + 60),
        ({"retry-after": "inf"}, NOW + 60),
        ({"retry-after": "1e12"}, NOW + LONGEST_PAUSE_S),
        ({"retry-after": "30", "x-ratelimit-remaining": "0", "x-ratelimit-reset": str(NOW + 99)}, NOW + 30),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 99)}, NOW + 99),
        ({"x-ratelimit-reset": str(int(NOW) + 99)}, NOW + 99),
        ({"x-ratelimit-remaining": "12", "x-ratelimit-reset": str(int(NOW) + 99)}, NOW + 60),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) - 9)}, NOW + 60),
        ({}, NOW + 60),
    ],
)
def test_a_429_names_its_time_or_gets_a_minute(headers, expected):
    assert until(429, headers) == pytest.approx(expected)


def test_a_forbidden_answer_is_a_limit_only_when_it_says_so():
    assert until(403) is None
    assert until(403, {"x-ratelimit-remaining": "4000", "x-ratelimit-reset": str(NOW + 9)}) is None
    assert until(403, {"retry-after": "7"}) == NOW + 7
    assert until(403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(NOW) + 9)}) == NOW + 9
    assert until(403, body=b'{"message":"Resource not accessible by integration"}') is None


def test_a_secondary_limit_without_headers_is_known_by_its_text_even_compressed():
    body = b'{"message":"You have exceeded a secondary rate limit."}'
    assert until(403, body=body) == NOW + 60
    assert until(403, {"content-encoding": "gzip"}, gzip.compress(body)) == NOW + 60
    assert until(403, {"content-encoding": "gzip"}, b"not gzip") is None


@pytest.mark.parametrize("status", [200, 401, 404, 422, 500, 503])
def test_no_other_status_is_a_rate_limit(status):
    assert until(status, {"retry-after": "30"}, b"rate limit exceeded") is None
