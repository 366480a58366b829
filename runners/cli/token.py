"""``fly-gha token``: API tokens of the dispatcher, written to its store directly (``--local``).

The first token has to come from somewhere: whoever can open the database may make one.
"""

import asyncio
import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.table import Table

from runners.api.access import SCOPES, new_token
from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption, settings_or_exit
from runners.cli.dispatcher import JsonOption
from runners.cli.outcome import Exit, fail
from runners.cli.screen import screen
from runners.model.settings import Settings
from runners.store import tokens
from runners.store.engine import OpenStore, open_store
from runners.store.errors import StoreError
from runners.store.tokens import ApiToken
from runners.upstream.clock import SystemClock
from runners.wire.times import maybe_rfc3339, rfc3339

app = typer.Typer(no_args_is_help=True, help="API tokens.")
LocalOption = Annotated[bool, typer.Option("--local", help="Work on the store that fleet.toml names.")]
DAY = 86_400.0
DAYS_MAX = 36_500
TO_THE_MINUTE = len("2026-01-01T00:00")


@app.command()
def create(
    local: LocalOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
    name: Annotated[str, typer.Option(help="What you call it.")] = "token",
    scope: Annotated[list[str] | None, typer.Option(help="read, operate or admin; may be repeated.")] = None,
    repository: Annotated[list[str] | None, typer.Option(help="Limit it to owner/name patterns.")] = None,
    pool: Annotated[list[str] | None, typer.Option(help="Limit it to pools.")] = None,
    days: Annotated[
        float | None, typer.Option(min=0.001, max=DAYS_MAX, help="It ends after so many days.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a token and print it, once."""
    settings = _local_settings(local, config)
    clock = SystemClock()
    now = clock.now()
    try:
        made = new_token(
            secrets.token_bytes,
            name=name,
            scopes=tuple(scope or ("read",)),
            now=now,
            repositories=tuple(repository or ()),
            pools=tuple(pool or ()),
            expires_at=None if days is None else now + days * DAY,
        )
    except ValueError as error:
        fail(Exit.BAD_USE, f"--scope: {error}; known are {', '.join(SCOPES)}.")

    async def op(store: OpenStore) -> None:
        await store.run(lambda conn: tokens.insert(conn, made.row, made.secret_hash))

    _with_store(settings, op)
    text = made.text.get_secret_value()
    typer.echo(json.dumps({"token": text, **_fields(made.row)}) if as_json else text)


@app.command("list")
def list_tokens(
    local: LocalOption = False, config: ConfigOption = DEFAULT_CONFIG, as_json: JsonOption = False
) -> None:
    """List the tokens; a token's text is not kept and cannot be shown."""
    found: list[ApiToken] = []

    async def op(store: OpenStore) -> None:
        found.extend(await store.run(tokens.all))

    _with_store(_local_settings(local, config), op)
    if as_json:
        typer.echo(json.dumps([_fields(token) for token in found]))
        return
    table = Table("id", "name", "scopes", "created", "ends", "state", box=None)
    now = SystemClock().now()
    for token in found:
        state = "revoked" if token.revoked_at is not None else "valid" if token.valid(now) else "ended"
        ends = (maybe_rfc3339(token.expires_at) or "never")[:TO_THE_MINUTE]
        created = rfc3339(token.created_at)[:TO_THE_MINUTE]
        table.add_row(token.id, token.name, " ".join(sorted(token.scopes)), created, ends, state)
    screen().print(table)


@app.command()
def revoke(
    token_id: Annotated[str, typer.Argument(metavar="ID")],
    local: LocalOption = False,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a token now."""
    ended: list[bool] = []
    now = SystemClock().now()

    async def op(store: OpenStore) -> None:
        ended.append(await store.run(lambda conn: tokens.revoke(conn, token_id, now)))

    _with_store(_local_settings(local, config), op)
    if not ended[0]:
        fail(Exit.NO, f"No valid token has the id {token_id!r}; `fly-gha token list --local` shows them.")
    typer.echo(f"token {token_id} is revoked")


def _local_settings(local: bool, config: ConfigOption) -> Settings:
    if not local:
        fail(Exit.BAD_USE, "Tokens are kept in the store: add --local and run this where fleet.toml is.")
    return settings_or_exit(config)


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


def _fields(token: ApiToken) -> dict[str, object]:
    return {
        "id": token.id,
        "name": token.name,
        "scopes": sorted(token.scopes),
        "repositories": list(token.repositories),
        "pools": list(token.pools),
        "created_at": rfc3339(token.created_at),
        "expires_at": maybe_rfc3339(token.expires_at),
        "revoked_at": maybe_rfc3339(token.revoked_at),
    }
