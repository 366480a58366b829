"""Sealed registrations between mint and claim, and the tokens that claims have shown.

The ciphertext comes sealed with the fleet key; this module never sees what is in it. Nonces are kept as
hashes.
"""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlalchemy import delete as delete_from
from sqlalchemy import update as update_table

from runners.store import rows
from runners.store.tables import sealed, seen_tokens

_FIELDS = (
    sealed.c.runner_name,
    sealed.c.ciphertext,
    sealed.c.minted_at,
    sealed.c.nonce_hash,
    sealed.c.claimed_at,
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """One registration that waits for its Machine.

    Attributes:
        minted_at: when it was sealed here.
        nonce_hash: of the nonce it was handed out to, None before.
        claimed_at: when it was first handed out.
    """

    runner_name: str
    ciphertext: bytes
    minted_at: float
    nonce_hash: str | None = None
    claimed_at: float | None = None


def put(conn: Connection, runner_name: str, ciphertext: bytes, at: float) -> bool:
    """Keep a Runner's registration, in place of an older one that nobody was given.

    Returns:
        False, without effect, when the older one was handed out already.
    """
    values = {"runner_name": runner_name, "ciphertext": ciphertext, "minted_at": at}
    if rows.insert_new(conn, sealed, values):
        return True
    statement = (
        update_table(sealed)
        .where(sealed.c.runner_name == runner_name, sealed.c.nonce_hash.is_(None))
        .values(ciphertext=ciphertext, minted_at=at)
    )
    return conn.execute(statement).rowcount == 1


def get(conn: Connection, runner_name: str) -> Sealed | None:
    """The Runner's registration, or None."""
    query = select(*_FIELDS).where(sealed.c.runner_name == runner_name).order_by(sealed.c.runner_name)
    row = conn.execute(query).one_or_none()
    return None if row is None else Sealed(*row)


def bind_nonce(conn: Connection, runner_name: str, nonce_hash: str, at: float) -> bool:
    """Give the registration to the first nonce that asks, and to it again; claimed_at is the first time.

    Returns:
        False, without effect, when there is none or it was given to another nonce.
    """
    statement = (
        update_table(sealed)
        .where(
            sealed.c.runner_name == runner_name,
            sealed.c.nonce_hash.is_(None) | (sealed.c.nonce_hash == nonce_hash),
        )
        .values(nonce_hash=nonce_hash, claimed_at=func.coalesce(sealed.c.claimed_at, at))
    )
    return conn.execute(statement).rowcount == 1


def delete(conn: Connection, runner_name: str) -> bool:
    """Forget the registration: it was acknowledged, replaced or retired. Returns whether there was one."""
    return conn.execute(delete_from(sealed).where(sealed.c.runner_name == runner_name)).rowcount == 1


def seen_jti(conn: Connection, jti: str) -> bool:
    """Whether a claim token of that id has been used."""
    query = select(seen_tokens.c.jti).where(seen_tokens.c.jti == jti).order_by(seen_tokens.c.jti)
    return conn.execute(query).first() is not None


def remember_jti(conn: Connection, jti: str, expires_at: float) -> bool:
    """Note a claim token's id until it expires. Returns False when it was seen before: a replay."""
    return rows.insert_new(conn, seen_tokens, {"jti": jti, "expires_at": expires_at})
