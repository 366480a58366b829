"""A pool's version: the ETag of what operators may set of it, and what has changed since another one.

``"REVISION-HASH"``: the revision of the operator's event that set it last, and a hash of what is in force. It
leaves out what changes by itself (Machines, queue, money), so it stays the same until somebody operates the
pool, or fleet.toml is changed.
"""

import hashlib
import json
import re
from typing import Any

from sqlalchemy import Connection

from runners.api.problems import ApiProblem
from runners.model.reason import Reason
from runners.model.settings import PoolSettings
from runners.store import events
from runners.store.pools import PoolOverride
from runners.wire.operate import PoolControls
from runners.wire.times import rfc3339

NUMBERS = ("max_machines", "ready", "stopped")
FIELDS = ("drained", *NUMBERS)
VERBS = ("drained", "undrained", "scaled")
HASH_HEX = 12
_CHANGES_SHOWN = 3
_ETAG = re.compile(rf'"(\d{{1,18}})-([0-9a-f]{{{HASH_HEX}}})"')


def controls(pool: PoolSettings, override: PoolOverride) -> PoolControls:
    """What is in force."""
    said = {name: getattr(override, name) for name in FIELDS}
    values: dict[str, Any] = {
        name: getattr(pool, name) if value is None else value for name, value in said.items()
    }
    return PoolControls(
        **values, overrides=tuple(sorted(name for name, value in said.items() if value is not None))
    )


def version(pool: PoolSettings, override: PoolOverride) -> str:
    """The ETag, with its quotes."""
    text = json.dumps(controls(pool, override).model_dump(), sort_keys=True)
    return f'"{override.revision or 0}-{hashlib.sha256(text.encode()).hexdigest()[:HASH_HEX]}"'


def check_if_match(
    conn: Connection, if_match: str | None, pool: PoolSettings, override: PoolOverride, attempted: str
) -> None:
    """Refuse when none of the versions that If-Match names is the pool's.

    Raises:
        ApiProblem: 412, saying what has changed since.
    """
    if if_match is None or if_match.strip() == "*":
        return
    given = [each.strip() for each in if_match.split(",")]
    current = version(pool, override)
    if current in given:
        return
    match = next((found for each in given if (found := _ETAG.fullmatch(each))), None)
    if match is None:
        why = "If-Match names no version that GET /v1/pools/{name} gives"
    else:
        why = _since(conn, pool, int(match[1]), override)
    raise ApiProblem(
        412,
        Reason.CHANGED_SINCE,
        what="nothing was done: the pool is not as If-Match says",
        why=why,
        attempted=attempted,
        next_step=f"read GET /v1/pools/{pool.name} again, then ask with its ETag",
        headers={"ETag": current},
    )


def _since(conn: Connection, pool: PoolSettings, revision: int, override: PoolOverride) -> str:
    target = f"pool/{pool.name}"
    newest = [
        event
        for verb in VERBS
        for event in events.page(
            conn, after=revision, target=target, verb=verb, newest_first=True, limit=_CHANGES_SHOWN
        )
    ]
    newest.sort(key=lambda event: -event.seq)
    in_force = controls(pool, override)
    now = ", ".join(f"{name} {_word(getattr(in_force, name))}" for name in FIELDS)
    if not newest:
        return f"its settings in fleet.toml have changed since; now: {now}"
    told = "; ".join(
        f"{event.verb} by {event.actor} at {rfc3339(event.at)}" for event in newest[:_CHANGES_SHOWN]
    )
    return f"since then: {told}; now: {now}"


def _word(value: object) -> str:
    """As JSON spells it."""
    return json.dumps(value)
