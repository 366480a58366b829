"""Windows end now and begin in the past, also at the first moment of a day."""

import pytest

from mcp_server.settings import DAY_S
from mcp_server.tools.window import began

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


@pytest.mark.parametrize(("name", "days"), [("24h", 1), ("7d", 7), ("30d", 30)])
def test_every_other_window_is_as_long_as_it_says(name, days):
    assert MIDNIGHT - began(name, MIDNIGHT) == days * DAY_S
