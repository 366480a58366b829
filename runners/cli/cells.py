"""Cells of tables that fit 80 columns: ages, times of day, money and names that may be cut."""

from typing import Any

from rich.table import Table
from rich.text import Text

from runners.wire.times import unix_seconds

DASH = "-"
_MINUTE, _HOUR, _DAY = 60.0, 3600.0, 86_400.0
# An age says two figures at most: 95 s is said in seconds, 100 minutes in minutes.
_ENOUGH = 100.0
# Where the time of day stands in an RFC 3339 time.
_TIME_OF_DAY = slice(11, 19)


def columns(*names: str, cut: tuple[str, ...] = ()) -> Table:
    """An empty table; only the columns named in ``cut`` give way when it would be too wide.

    A table narrows those columns first that may wrap: they are the named ones, and ``shortened`` cells keep
    them on one line nevertheless.
    """
    table = Table(box=None, pad_edge=False)
    for name in names:
        table.add_column(name, no_wrap=name not in cut, overflow="ellipsis")
    return table


def shortened(text: str) -> Text:
    """A cell of a column that gives way: one line, its end cut off."""
    return Text(text, no_wrap=True, overflow="ellipsis")


def partly(shown: int, total: int | None) -> str:
    """What stands under a table that has not all rows; ``total`` is None when nobody counted them."""
    of = "" if total is None else f" of {total}"
    return f"{shown}{of} shown; --limit shows more"


def age(since: str | None, as_of: str) -> str:
    """How long ago a time was when the answer was made: ``95 s``, ``12 min``, ``3 h``, ``2 d``."""
    return DASH if since is None else span(max(0.0, unix_seconds(as_of) - unix_seconds(since)))


def span(seconds: float) -> str:
    """A length of time in its own unit."""
    for unit, word in ((1.0, "s"), (_MINUTE, "min"), (_HOUR, "h")):
        if seconds / unit < _ENOUGH:
            return f"{seconds / unit:.0f} {word}"
    return f"{seconds / _DAY:.0f} d"


def time_of_day(at: str | None) -> str:
    """``12:34:56`` of an RFC 3339 time, UTC."""
    return DASH if at is None else at[_TIME_OF_DAY]


def usd(amount: float) -> str:
    """US dollars; less than a cent is said to a hundredth of one."""
    return f"${amount:.2f}" if amount == 0 or abs(amount) >= 0.01 else f"${amount:.4f}"  # noqa: PLR2004 - a cent


def words(*parts: Any) -> str:
    """What there is of some parts, with dots between."""
    return " · ".join(str(part) for part in parts if part not in (None, ""))
