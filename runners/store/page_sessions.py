"""Sessions of the status page: what a browser's cookie opens, and for how long. Only a hash of it is stored.

A session is worth what its token is worth: it ends with the token's end or revocation, when its owner signs
out, and at the latest at its own end.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, delete, select

from runners.store import rows
from runners.store.tables import page_sessions

# Browsers of one token at a time; one more ends the oldest, so that signing in over and over fills nothing.
PER_TOKEN_MAX = 50


@dataclass(frozen=True, slots=True)
class PageSession:
    """One signed-in browser.

    Attributes:
        hash: of what its cookie holds.
        token_id: whose rights it has.
        created_at: when it was opened, Unix seconds.
        ends_at: from then on it opens nothing.
    """

    hash: str
    token_id: str
    created_at: float
    ends_at: float


_FIELDS = rows.fields_of(page_sessions, PageSession)


def begin(conn: Connection, session: PageSession) -> None:
    """Keep a new session; of one token's the oldest beyond PER_TOKEN_MAX end.

    Raises:
        sqlalchemy.exc.IntegrityError: the hash is taken.
    """
    rows.add(conn, page_sessions, rows.values_of(page_sessions, session))
    of_token = page_sessions.c.token_id == session.token_id
    newest = select(page_sessions.c.hash).where(of_token)
    newest = newest.order_by(page_sessions.c.created_at.desc(), page_sessions.c.hash)
    surplus = conn.execute(newest.offset(PER_TOKEN_MAX)).scalars().all()
    if surplus:
        conn.execute(delete(page_sessions).where(page_sessions.c.hash.in_(surplus)))


def find(conn: Connection, hash: str, now: float) -> PageSession | None:  # noqa: A002 - the field's name
    """The session with that hash, or None; one that has ended is none, purged or not."""
    query = select(*_FIELDS).where(page_sessions.c.hash == hash, page_sessions.c.ends_at > now)
    row = conn.execute(query.order_by(page_sessions.c.hash)).one_or_none()
    return None if row is None else PageSession(*row)


def end(conn: Connection, hash: str) -> bool:  # noqa: A002 - the field's name
    """End a session. Returns False, without effect, when there is none."""
    return conn.execute(delete(page_sessions).where(page_sessions.c.hash == hash)).rowcount == 1


def purge(conn: Connection, now: float, limit: int) -> int:
    """Remove up to ``limit`` sessions that have ended; returns how many."""
    ended = select(page_sessions.c.hash).where(page_sessions.c.ends_at <= now)
    ended = ended.order_by(page_sessions.c.ends_at, page_sessions.c.hash).limit(limit)
    return conn.execute(delete(page_sessions).where(page_sessions.c.hash.in_(ended))).rowcount
