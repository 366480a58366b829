"""``fly-gha backup FILE``: one consistent copy of the database, made while the dispatcher runs."""

import json
import shlex
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from sqlalchemy.engine import URL, make_url

from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption, settings_or_exit
from runners.cli.dispatcher import JsonOption
from runners.cli.outcome import Exit, fail
from runners.model.settings import Settings
from runners.store import backup as copies
from runners.store.backup import Copy
from runners.store.errors import StoreError
from runners.store.replacing import database_file
from runners.upstream.clock import SystemClock
from runners.wire.times import rfc3339

MEGABYTE = 1_000_000


def backup(
    file: Annotated[Path, typer.Argument(help="The file to make; it must not exist.", show_default=False)],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Copy the database into one file while the dispatcher runs, and check the copy."""
    settings = settings_or_exit(config)
    try:
        database = database_file(settings.fleet.database_url)
        if database is None:
            _to_postgresql(settings, file)
        made = copies.make(database, file, settings.fleet.name, SystemClock().now())
    except StoreError as error:
        fail(Exit.UNREACHABLE, str(error))
    if as_json:
        typer.echo(json.dumps(described(made)))
        return
    typer.echo(f"Backed up {database} to {file}: {told(made)}. The copy passed its check.")
    typer.echo("It holds the hashes of tokens and the history of jobs: keep it as you keep the database.")


def told(copy: Copy) -> str:
    """What is in a copy, as part of a sentence."""
    newest = "" if copy.last_event_at is None else f", the newest of {rfc3339(copy.last_event_at)}"
    return f"{copy.size / MEGABYTE:.1f} MB, revision {copy.revision}, {copy.events} events{newest}"


def described(copy: Copy) -> dict[str, object]:
    """The same for scripts."""
    return {
        "fleet": copy.fleet,
        "made_at": None if copy.made_at is None else rfc3339(copy.made_at),
        "revision": copy.revision,
        "events": copy.events,
        "last_event_at": None if copy.last_event_at is None else rfc3339(copy.last_event_at),
        "size": copy.size,
    }


def postgresql_name(settings: Settings) -> str:
    """The database as PostgreSQL's own programs take it, without its password."""
    url = make_url(settings.fleet.database_url)
    bare = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return shlex.quote(bare.render_as_string())


def _to_postgresql(settings: Settings, file: Path) -> NoReturn:
    fail(
        Exit.BAD_USE,
        "PostgreSQL makes its own backups, of one moment and while everything runs; fly-gha has none that "
        f"is better: pg_dump --format=custom --file={shlex.quote(str(file))} "
        f"--dbname={postgresql_name(settings)}",
    )
