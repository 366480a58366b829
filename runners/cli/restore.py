"""``fly-gha restore FILE``: a backup in the place of the database, and nothing that it promised.

The rows of a backup say what was true when it was made. Since then Machines were started and registrations
handed out, so whatever the copy still had to give is taken back, and the world tells the fleet what is there.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from runners.cli.backup import described, postgresql_name, told
from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption, settings_or_exit
from runners.cli.consent import YesOption, consented
from runners.cli.dispatcher import JsonOption
from runners.cli.outcome import Exit, fail
from runners.model.settings import Settings
from runners.store import lease, replacing
from runners.store.engine import open_store
from runners.store.errors import StoreError
from runners.store.restored import TakenBack, take_back
from runners.upstream.clock import SystemClock

AFTERWARDS = (
    "Start the dispatcher. Runners that GitHub shows busy finish their jobs; what no row knows is ended "
    "within minutes. Drains, scales and pauses are those of the backup; API tokens made since are gone."
)


def restore(
    file: Annotated[
        Path | None, typer.Argument(help="What `fly-gha backup` made.", show_default=False)
    ] = None,
    config: ConfigOption = DEFAULT_CONFIG,
    at_start: Annotated[
        bool,
        typer.Option("--at-start", help="Check it now, and put it in place when the dispatcher starts next."),
    ] = False,
    here: Annotated[
        bool,
        typer.Option(
            "--here", help="The database was restored by other means: only take back what it promised."
        ),
    ] = False,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Put a backup in the place of the database; the one that is there is kept."""
    settings = settings_or_exit(config)
    if here == (file is not None) or (here and at_start):
        fail(Exit.BAD_USE, "Name the FILE to restore, or say --here for a database that is restored already.")
    try:
        if here:
            taken = asyncio.run(_take_back_here(settings, yes=yes))
            typer.echo(json.dumps(_taken(taken)) if as_json else f"{_say(taken)} {AFTERWARDS}")
        elif file is not None:
            _restore(settings, file, at_start=at_start, yes=yes, as_json=as_json)
    except StoreError as error:
        fail(Exit.UNREACHABLE, str(error))


def _restore(settings: Settings, file: Path, *, at_start: bool, yes: bool, as_json: bool) -> None:
    database = replacing.database_file(settings.fleet.database_url)
    if database is None:
        _to_postgresql(settings, file)
    copy = replacing.check(file, settings.fleet.name)
    if not at_start and database.exists():
        replacing.settle_if_whole(database)
    question = f"Replace {database} by {file} ({told(copy)})? What happened since is forgotten."
    # Asked first: what is prepared is put in place by the dispatcher's next start, should this process die.
    consented(question, yes=yes)
    replacing.prepare(file, database, settings.fleet.name)
    if at_start:
        waiting = replacing.pending(database)
        typer.echo(
            json.dumps({"copy": described(copy), "pending": str(waiting)})
            if as_json
            else f"{file} passed its check: {told(copy)}. It is put in place when the dispatcher starts "
            f"next; until then, removing {waiting} calls it off."
        )
        return
    try:
        done = replacing.place(database, SystemClock().now())
    finally:
        replacing.pending(database).unlink(missing_ok=True)
    if as_json:
        kept = None if done.kept is None else str(done.kept)
        typer.echo(json.dumps({"copy": described(copy), "kept": kept, "taken_back": _taken(done.taken)}))
        return
    typer.echo(f"Restored {database} from {file}: {told(copy)}.")
    if done.kept is not None:
        typer.echo(f"The database that was there is kept as {done.kept}.")
    typer.echo(f"{_say(done.taken)} {AFTERWARDS}")


async def _take_back_here(settings: Settings, *, yes: bool) -> TakenBack:
    store, clock = open_store(settings.fleet.database_url), SystemClock()
    try:
        await store.migrate()
        holder = await store.run(lambda conn: lease.holder(conn, clock.now()))
        if holder is not None:
            fail(Exit.NO, f"The dispatcher {holder} plans on this database: stop every dispatcher first.")
        consented("Take back what the rows of this database promise?", yes=yes)
        said = "a database restored by other means"
        return await store.run(lambda conn: take_back(conn, clock.now(), {}, said))
    finally:
        await store.close()


def _say(taken: TakenBack) -> str:
    return (
        f"Taken back: {taken.machines} Machines may not be started or asked again, {taken.runners} "
        f"registrations are handed out to nobody, {taken.tokens} API tokens stay revoked."
    )


def _taken(taken: TakenBack) -> dict[str, int]:
    return {"machines": taken.machines, "runners": taken.runners, "tokens": taken.tokens}


def _to_postgresql(settings: Settings, file: Path) -> NoReturn:
    fail(
        Exit.BAD_USE,
        "PostgreSQL restores its own backups: stop every dispatcher, run pg_restore --clean --if-exists "
        f"--single-transaction --dbname={postgresql_name(settings)} {file}, then fly-gha restore --here.",
    )
