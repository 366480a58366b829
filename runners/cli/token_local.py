"""Tokens in the store itself, without a dispatcher: where the first one comes from.

Whoever can open the database may make one. It is an event as one made over HTTP is, by ``local``: nobody was
asked who they are.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from runners.api.access import new_token
from runners.api.tokens_admin import described
from runners.cli.configuration import settings_or_exit
from runners.cli.outcome import Exit, fail
from runners.model.reason import Reason
from runners.model.settings import Settings
from runners.store import events, tokens
from runners.store.engine import OpenStore, open_store
from runners.store.errors import StoreError
from runners.store.tokens import ApiToken
from runners.upstream.clock import SystemClock
from runners.wire.times import maybe_rfc3339, rfc3339

ACTOR = "local"
DAY_S = 86_400.0


def create(
    config: Path,
    name: str,
    scopes: list[str],
    repositories: list[str],
    pools: list[str],
    days: float | None,
    said: str,
) -> dict[str, Any]:
    """Make a token; the answer has its text as ``token``. ``said`` is why, in the operator's words."""
    settings, now = settings_or_exit(config), SystemClock().now()
    _check(settings, name, repositories, pools)
    try:
        made = new_token(
            secrets.token_bytes,
            name=name,
            scopes=tuple(scopes),
            now=now,
            repositories=tuple(repositories),
            pools=tuple(pools),
            expires_at=None if days is None else now + days * DAY_S,
        )
    except ValueError as error:
        fail(Exit.BAD_USE, f"--scope: {error}.")

    def insert(conn: Connection) -> None:
        tokens.insert(conn, made.row, made.secret_hash)
        _note(conn, now, "token_made", made.row.id, described(made.row), said)

    async def op(store: OpenStore) -> None:
        await store.run(insert)

    _with_store(settings, op)
    return {"token": made.text.get_secret_value(), **_fields(made.row, now)}


def every(config: Path) -> list[dict[str, Any]]:
    """Every token, revoked ones included."""
    found: list[ApiToken] = []

    async def op(store: OpenStore) -> None:
        found.extend(await store.run(tokens.all))

    _with_store(settings_or_exit(config), op)
    now = SystemClock().now()
    return [_fields(token, now) for token in found]


def revoke(config: Path, token_id: str, said: str) -> dict[str, Any] | None:
    """End a token; None when there is no valid one of that id. ``said`` is why, in the operator's words."""
    ended: list[ApiToken | None] = []
    now = SystemClock().now()

    def end(conn: Connection) -> ApiToken | None:
        if not tokens.revoke(conn, token_id, now):
            return None
        _note(conn, now, "token_revoked", token_id, "valid -> revoked", said)
        return tokens.get(conn, token_id)

    async def op(store: OpenStore) -> None:
        ended.append(await store.run(end))

    _with_store(settings_or_exit(config), op)
    return None if ended[0] is None else _fields(ended[0], now)


def _check(settings: Settings, name: str, repositories: list[str], pools: list[str]) -> None:
    """Refuse what would make a token that opens nothing, or that nobody can tell from another."""
    known = [pool.name for pool in settings.pools]
    if not name.strip():
        fail(Exit.BAD_USE, "--name wants a word by which you know it again.")
    if set(pools) - set(known):
        fail(Exit.BAD_USE, f"--pool: there is no such pool; the pools are {', '.join(known)}.")
    if not all(each.count("/") == 1 for each in repositories):
        fail(Exit.BAD_USE, "--repository wants an owner/name pattern such as acme/*.")


def _note(conn: Connection, now: float, verb: str, token_id: str, change: str, said: str) -> None:
    events.append(
        conn,
        at=now,
        actor=ACTOR,
        verb=verb,
        target=f"token/{token_id}",
        reason=Reason.OPERATOR_REQUEST,
        detail=change + (f"; said: {said}" if said else "; no reason given"),
    )


def _with_store(settings: Settings, op: Callable[[OpenStore], Awaitable[None]]) -> None:
    async def run() -> None:
        store = open_store(settings.fleet.database_url)
        try:
            await store.migrate()
            await op(store)
        finally:
            await store.close()

    try:
        asyncio.run(run())
    except StoreError as error:
        fail(Exit.UNREACHABLE, str(error))


def _fields(token: ApiToken, now: float) -> dict[str, Any]:
    """As the API's TokenView has them."""
    state = "revoked" if token.revoked_at is not None else "valid" if token.valid(now) else "ended"
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "repositories": list(token.repositories),
        "pools": list(token.pools),
        "created_at": rfc3339(token.created_at),
        "expires_at": maybe_rfc3339(token.expires_at),
        "revoked_at": maybe_rfc3339(token.revoked_at),
        "last_used_at": maybe_rfc3339(token.last_used_at),
        "state": state,
    }
