"""API tokens: who may ask what. Only the hash of a token is ever stored; its bearer knows the token."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, or_, select
from sqlalchemy import update as update_table

from runners.store import rows
from runners.store.tables import tokens


@dataclass(frozen=True, slots=True)
class ApiToken:
    """One API token, without its secret.

    Attributes:
        id: names it in lists and events.
        name: what a person called it.
        scopes: of ``read``, ``operate`` and ``admin``.
        repositories: ``owner/name`` patterns it is limited to; empty means all.
        pools: pools it is limited to; empty means all.
        expires_at: from then on it opens nothing; None for no end.
        revoked_at: when it was revoked.
        last_used_at: when it was last shown, as coarsely as the caller records it.
    """

    id: str
    name: str
    scopes: frozenset[str]
    repositories: tuple[str, ...]
    pools: tuple[str, ...]
    created_at: float
    expires_at: float | None = None
    revoked_at: float | None = None
    last_used_at: float | None = None

    def valid(self, now: float) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


_FIELDS = rows.fields_of(tokens, ApiToken)


def insert(conn: Connection, token: ApiToken, secret_hash: str) -> None:
    """Keep a new token under the hash of its secret.

    Raises:
        sqlalchemy.exc.IntegrityError: the id or the hash is taken.
    """
    values = rows.values_of(tokens, token) | {"scopes": sorted(token.scopes), "secret_hash": secret_hash}
    rows.add(conn, tokens, values)


def get(conn: Connection, id: str) -> ApiToken | None:  # noqa: A002 - the field's name
    """The token of that id, or None. It may have expired or been revoked: see ApiToken.valid."""
    return _first(conn, select(*_FIELDS).where(tokens.c.id == id))


def by_hash(conn: Connection, secret_hash: str) -> ApiToken | None:
    """The token with that hash, or None. It may have expired or been revoked: see ApiToken.valid."""
    return _first(conn, select(*_FIELDS).where(tokens.c.secret_hash == secret_hash))


def all(conn: Connection) -> tuple[ApiToken, ...]:  # noqa: A001 - read as tokens.all
    """Every token ever made, revoked ones included, oldest first."""
    query = select(*_FIELDS).order_by(tokens.c.created_at, tokens.c.id)
    return tuple(_token(row) for row in conn.execute(query))


def revoke(conn: Connection, id: str, at: float) -> bool:  # noqa: A002 - the field's name
    """End a token. Returns False, without effect, when it is unknown or was revoked before."""
    statement = (
        update_table(tokens).where(tokens.c.id == id, tokens.c.revoked_at.is_(None)).values(revoked_at=at)
    )
    return conn.execute(statement).rowcount == 1


def touch(conn: Connection, id: str, at: float, *, coarse_s: float = 60.0) -> bool:  # noqa: A002 - the field's name
    """Note that a token was shown, at most once per ``coarse_s`` seconds. Returns whether it was noted."""
    stale = or_(tokens.c.last_used_at.is_(None), tokens.c.last_used_at <= at - coarse_s)
    statement = update_table(tokens).where(tokens.c.id == id, stale).values(last_used_at=at)
    return conn.execute(statement).rowcount == 1


def _first(conn: Connection, query: Select[Any]) -> ApiToken | None:
    row = conn.execute(query.order_by(tokens.c.id)).one_or_none()
    return None if row is None else _token(row)


def _token(row: Any) -> ApiToken:
    values = dict(row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for it
    return ApiToken(**values | {"scopes": frozenset(values["scopes"])})
