"""Windows end now and begin in the past, also at the first moment of a day."""

import pytest

from mcp_server.tools.window import DAY_S, began

MIDNIGHT = 20_000 * DAY_S


@pytest.mark.parametrize(
    ("now", "since"),
    [
        (MIDNIGHT + 3600, MIDNIGHT),
        (MIDNIGHT + 60, MIDNIGHT),
        (MIDNIGHT + 59, MIDNIGHT - 1),
        (MIDNIGHT, MIDNIGHT - 60),
    ],
)
def test_today_began_at_midnight_and_at_least_a_minute_ago(now, since):
    assert began("today", now) == since


def test_every_other_window_is_as_long_as_it_says():
    assert [now - began(name, now) for name in ("24h", "7d", "30d") for now in [MIDNIGHT]] == [
        DAY_S,
        7 * DAY_S,
        30 * DAY_S,
    ]
