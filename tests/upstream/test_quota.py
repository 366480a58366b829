"""The share of GitHub's hourly quota that its headers tell."""

import httpx
import pytest

from runners.upstream.limits import quota_left


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        ({"x-ratelimit-remaining": "1250", "x-ratelimit-limit": "5000"}, 0.25),
        ({"x-ratelimit-remaining": "0", "x-ratelimit-limit": "5000", "x-ratelimit-resource": "core"}, 0.0),
        ({"x-ratelimit-remaining": "9", "x-ratelimit-limit": "30", "x-ratelimit-resource": "search"}, None),
        ({"x-ratelimit-remaining": "many", "x-ratelimit-limit": "5000"}, None),
        ({"x-ratelimit-remaining": "5", "x-ratelimit-limit": "0"}, None),
        ({}, None),
    ],
)
def test_only_a_readable_core_quota_is_told(headers, left):
    assert quota_left(httpx.Headers(headers)) == left
