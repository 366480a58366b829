"""``fly-gha-status audit``: what agents asked and what they were told, and whether that record is whole.

Reads the files of the log while the server writes them; needs neither the server nor the dispatcher.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from mcp_server.audit.query import Query, query
from mcp_server.audit.reading import Follower, files_with_lines
from mcp_server.audit.record import NotARecord, read_record
from mcp_server.audit.segments import segments
from mcp_server.audit.verify import Head, verify
from mcp_server.audit.wording import as_json, line, verdict_line
from mcp_server.cli.outcome import Exit, fail
from mcp_server.settings import PREFIX, StatusSettings
from runners.upstream.clock import SystemClock
from runners.wire.times import unix_seconds

app = typer.Typer(no_args_is_help=True, help="What agents asked, and what they were told.")

DEFAULT_DIRECTORY = Path(StatusSettings.model_fields["audit_dir"].default)
LIMIT_MAX = 10_000
LOOK_EVERY_S = 0.5
# A file may be removed, because it is old, while it is about to be read: then everything is read again.
_READINGS = 3
_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhd])")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_NOTED = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")

DirectoryOption = Annotated[
    Path,
    typer.Option(
        "--dir",
        envvar=f"{PREFIX}AUDIT_DIR",
        # As the server reads it: no shell has seen the default's ~.
        callback=Path.expanduser,
        help="The directory of the log.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
T = TypeVar("T")


@app.command()
def tail(
    directory: DirectoryOption = DEFAULT_DIRECTORY,
    number: Annotated[
        int, typer.Option("-n", min=0, max=LIMIT_MAX, help="So many of the last records.")
    ] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with new ones until Ctrl-C.")] = False,
    in_json: JsonOption = False,
) -> None:
    """Print the last records, the newest at the end."""
    page = _read(directory, lambda: query(directory, Query(remarks=True), max(1, number)))
    for record in reversed(page.records[:number]):
        typer.echo(json.dumps(as_json(record)) if in_json else line(record))
    if follow:
        try:
            asyncio.run(_follow(directory, page.records[0].seq if page.records else 0, in_json))
        except KeyboardInterrupt:
            return
    elif not page.records:
        fail(Exit.NO, "The log has no records.")


@app.command("query")
def find(
    directory: DirectoryOption = DEFAULT_DIRECTORY,
    caller: Annotated[str | None, typer.Option(help="Id or name of the caller.")] = None,
    tool: Annotated[str | None, typer.Option(help="A tool's name, or a resource's URI.")] = None,
    rule: Annotated[str | None, typer.Option(help="What decided, such as allowed or caller_rate.")] = None,
    result: Annotated[
        str | None, typer.Option(help="ok, an error's class, or failed for every error.")
    ] = None,
    call: Annotated[str | None, typer.Option(help="A call's id.")] = None,
    since: Annotated[
        str | None, typer.Option(help="A time (RFC 3339), or how long ago: 90s, 15m, 2h, 7d.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Likewise; what began then or later is left out.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=LIMIT_MAX, help="So many at most.")] = 50,
    cursor: Annotated[
        int | None, typer.Option(min=1, help="Go on behind the last answer: its cursor.")
    ] = None,
    remarks: Annotated[bool, typer.Option("--remarks", help="What the log says of itself, too.")] = False,
    in_json: JsonOption = False,
) -> None:
    """Print the records that match, the newest first."""
    asked = Query(
        caller=caller,
        tool=tool,
        rule=rule,
        result=result,
        call=call,
        since=_moment("--since", since),
        until=_moment("--until", until),
        before=cursor,
        remarks=remarks,
    )
    page = _read(directory, lambda: query(directory, asked, limit))
    if in_json:
        records = [as_json(record) for record in page.records]
        typer.echo(json.dumps({"records": records, "cursor": page.cursor, "unreadable": page.unreadable}))
    else:
        for record in page.records:
            typer.echo(line(record))
        if page.cursor is not None:
            typer.echo(f"there are more: --cursor {page.cursor}", err=True)
    if page.unreadable:
        lines = "lines are no records" if page.unreadable > 1 else "line is no record"
        typer.echo(f"{page.unreadable} {lines}: run audit verify", err=True)
    if not page.records:
        fail(Exit.NO, "No record matches.")


@app.command("verify")
def check(
    directory: DirectoryOption = DEFAULT_DIRECTORY,
    expect: Annotated[
        list[str] | None,
        typer.Option(help="SEQ:HASH of a head noted elsewhere; it must be in the chain. May be repeated."),
    ] = None,
    in_json: JsonOption = False,
) -> None:
    """Check every record, and name the first thing that is wrong.

    Whether the end is missing, no chain can tell by itself: note the head that is printed somewhere else, and
    ask for it later with --expect.
    """
    heads = [_head(text) for text in expect or ()]
    verdict = _read(directory, lambda: verify(files_with_lines(directory), heads))
    if in_json:
        typer.echo(json.dumps({"holds": verdict.broken is None, **asdict(verdict)}))
    else:
        typer.echo(verdict_line(verdict))
    if verdict.broken is not None:
        raise typer.Exit(Exit.NO)


async def _follow(directory: Path, after: int, in_json: bool) -> None:
    clock, follower = SystemClock(), Follower(directory, after)
    while True:
        for text in _read(directory, follower.more):
            try:
                typer.echo(text.decode() if in_json else line(read_record(text)))
            except (NotARecord, UnicodeDecodeError):
                typer.echo("a line is no record: run audit verify", err=True)
        await clock.sleep(LOOK_EVERY_S)


def _read(directory: Path, work: Callable[[], T]) -> T:
    """Read something of the log, again when a file went away under it."""
    for reading in range(_READINGS):
        try:
            if not segments(directory):
                _no_log(directory)
            return work()
        except FileNotFoundError as error:
            if reading == _READINGS - 1 or not directory.is_dir():
                fail(Exit.UNREACHABLE, f"The audit log in {directory} cannot be read: {error.strerror}.")
        except OSError as error:
            fail(Exit.UNREACHABLE, f"The audit log in {directory} cannot be read: {error.strerror}.")
    raise AssertionError("the last reading returns or fails")


def _no_log(directory: Path) -> None:
    """Local agents on standard input have logs of their own below: they are named, none is guessed."""
    below = sorted(each for each in directory.iterdir() if each.is_dir() and segments(each))
    hint = f" There are logs in {', '.join(map(str, below))}: name one with --dir." if below else ""
    fail(Exit.UNREACHABLE, f"There is no audit log in {directory}.{hint}")


def _moment(option: str, text: str | None) -> float | None:
    """A time in Unix seconds, given as such, as RFC 3339, or as how long ago."""
    if text is None:
        return None
    ago = _AGO.fullmatch(text)
    if ago is not None:
        return SystemClock().now() - float(ago[1]) * _UNIT_S[ago[2]]
    try:
        return unix_seconds(text)
    except ValueError:
        fail(Exit.BAD_USE, f"{option} is a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h.")


def _head(text: str) -> Head:
    noted = _NOTED.fullmatch(text)
    if noted is None:
        fail(Exit.BAD_USE, "--expect is SEQ:HASH, as audit verify printed it.")
    return Head(int(noted[1]), noted[2])
