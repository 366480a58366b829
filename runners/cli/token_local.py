"""Tokens in the store itself, without a dispatcher: where the first one comes from.

Whoever can open the database may make one.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from runners.api.access import SCOPES, new_token
from runners.cli.configuration import settings_or_exit
from runners.cli.outcome import Exit, fail
from runners.store import tokens
from runners.store.engine import OpenStore, open_store
from runners.store.errors import StoreError
from runners.store.tokens import ApiToken
from runners.upstream.clock import SystemClock
from runners.wire.times import maybe_rfc3339, rfc3339

DAY_S = 86_400.0


def create(
    config: Path,
    name: str,
    scopes: list[str],
    repositories: list[str],
    pools: list[str],
    days: float | None,
) -> dict[str, Any]:
    """Make a token; the answer has its text as ``token``."""
    now = SystemClock().now()
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
        fail(Exit.BAD_USE, f"--scope: {error}; known are {', '.join(SCOPES)}.")

    async def op(store: OpenStore) -> None:
        await store.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))

    _with_store(config, op)
    return {"token": made.text.get_secret_value(), **_fields(made.row, now)}


def every(config: Path) -> list[dict[str, Any]]:
    """Every token, revoked ones included."""
    found: list[ApiToken] = []

    async def op(store: OpenStore) -> None:
        found.extend(await store.run(tokens.all))

    _with_store(config, op)
    now = SystemClock().now()
    return [_fields(token, now) for token in found]


def revoke(config: Path, token_id: str) -> dict[str, Any] | None:
    """End a token; None when there is no valid one of that id."""
    ended: list[ApiToken | None] = []
    now = SystemClock().now()

    async def op(store: OpenStore) -> None:
        done = await store.run(lambda conn: tokens.revoke(conn, token_id, now))
        ended.append(await store.run(lambda conn: tokens.get(conn, token_id)) if done else None)

    _with_store(config, op)
    return None if ended[0] is None else _fields(ended[0], now)


def _with_store(config: Path, op: Callable[[OpenStore], Awaitable[None]]) -> None:
    settings = settings_or_exit(config)

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
