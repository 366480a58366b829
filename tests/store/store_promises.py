"""What every statement of the store is held to: each SELECT says its order, none asks for time or chance."""

import contextlib
import re

from sqlalchemy import Engine, event

WALL_CLOCK = re.compile(
    r"\b(now|clock_timestamp|unixepoch|julianday|random|gen_random_uuid)\s*\(|CURRENT_", re.IGNORECASE
)


@contextlib.contextmanager
def promises_kept():
    """Every SELECT says its order, and no statement asks the database for the time or for chance."""
    broken: list[str] = []

    def look(_conn, _cursor, statement, *_rest):
        reads = statement.lstrip().upper().startswith("SELECT") and " FROM " in " ".join(
            statement.upper().split()
        )
        if (reads and "ORDER BY" not in statement) or WALL_CLOCK.search(statement):
            broken.append(statement)

    event.listen(Engine, "before_cursor_execute", look)
    try:
        yield broken
    finally:
        event.remove(Engine, "before_cursor_execute", look)
    assert broken == []
