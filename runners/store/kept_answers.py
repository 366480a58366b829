"""Answers kept for repeats: what a change asked for with an Idempotency-Key was answered, for a day.

Written in the transaction of the change itself, so there is never the one without the other: whoever got no
answer, because the connection or the dispatcher ended, asks again with the same key and gets it.
"""

import hashlib
from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from runners.store import rows
from runners.store.tables import kept_answers

KEPT_S = 86_400.0


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """One answer.

    Attributes:
        request_hash: of the request it answered, see ``hashed``.
        body: the answer, as it was sent.
        kept_at: when, Unix seconds.
    """

    request_hash: str
    body: str
    kept_at: float


_FIELDS = rows.fields_of(kept_answers, KeptAnswer)


def hashed(*parts: str) -> str:
    """A key, or a request in its parts, as what is stored of it: neither is kept in the clear."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def find(conn: Connection, token_id: str, key_hash: str, now: float) -> KeptAnswer | None:
    """The answer under a token's key, or None; one older than a day is none, purged or not."""
    mine = (kept_answers.c.token_id == token_id, kept_answers.c.key_hash == key_hash)
    query = select(*_FIELDS).where(*mine, kept_answers.c.kept_at > now - KEPT_S)
    row = conn.execute(query.order_by(kept_answers.c.kept_at)).one_or_none()
    return None if row is None else KeptAnswer(*row)


def keep(conn: Connection, token_id: str, key_hash: str, answer: KeptAnswer) -> None:
    """Keep an answer; one of more than a day ago under the same key makes room."""
    values = rows.values_of(kept_answers, answer)
    rows.put(conn, kept_answers, {"token_id": token_id, "key_hash": key_hash, **values})


def purge(conn: Connection, now: float, limit: int) -> int:
    """Remove up to ``limit`` answers that are older than a day; returns how many."""
    old = (
        select(kept_answers.c.token_id, kept_answers.c.key_hash)
        .where(kept_answers.c.kept_at <= now - KEPT_S)
        .order_by(kept_answers.c.kept_at, kept_answers.c.token_id, kept_answers.c.key_hash)
        .limit(limit)
    )
    removed = 0
    for token_id, key_hash in conn.execute(old).all():
        mine = (kept_answers.c.token_id == token_id, kept_answers.c.key_hash == key_hash)
        removed += conn.execute(delete(kept_answers).where(*mine)).rowcount
    return removed
