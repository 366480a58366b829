"""Cursors of lists that are made here: the handle of the last row shown, so that nothing is kept."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mcp_server.refused import Refused
from mcp_server.rule import Rule

Row = TypeVar("Row")


def after(
    rows: Sequence[Row], cursor: str | None, key: Callable[[Row], str], attempted: str
) -> Sequence[Row]:
    """The rows that follow the one whose key ``cursor`` is; all of them without a cursor.

    Raises:
        Refused: ARGUMENT_INVALID; no row has that key (any more).
    """
    if cursor is None:
        return rows
    for index, row in enumerate(rows):
        if key(row) == cursor:
            return rows[index + 1 :]
    raise bad_cursor(attempted)


def bad_cursor(attempted: str) -> Refused:
    """A cursor that was never given, or whose row is gone."""
    return Refused(
        Rule.ARGUMENT_INVALID,
        cause="the cursor is none of this list, or what it stood for is gone",
        attempted=attempted,
        missing="a next_cursor of the same question",
        next_step="ask for the first page again, without a cursor",
    )
