"""What a runner's Machine said last before a bad end. Other people's text: shown, never acted upon."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection, select

from runners.store import rows
from runners.store.tables import last_lines


def keep(conn: Connection, runner_name: str, lines: Sequence[str], *, at: float) -> bool:
    """Keep the lines; False, without effect, when some are kept already: a Machine ends once."""
    if of(conn, runner_name):
        return False
    rows.add(conn, last_lines, {"runner_name": runner_name, "at": at, "lines": json.dumps(list(lines))})
    return True


def of(conn: Connection, runner_name: str) -> tuple[str, ...]:
    """The lines, oldest first; none for a runner that ended well, lives, or is forgotten."""
    mine = last_lines.c.runner_name == runner_name
    query = select(last_lines.c.lines).where(mine).order_by(last_lines.c.at)
    found = conn.execute(query).scalar_one_or_none()
    return () if found is None else tuple(json.loads(found))
