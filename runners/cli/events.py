"""``fly-gha events``: the audit trail, newest last; ``--follow`` waits for more."""

import json
import time
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console

from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen

FOLLOW_S = 1.0


def events(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    target: Annotated[
        str | None, typer.Option(help="job/ID, runner/NAME, machine/NAME or pool/NAME.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Who did it: planner, webhook, claim …")] = None,
    verb: Annotated[str | None, typer.Option(help="What was done: moved, requested, held, drained …")] = None,
    reason: Annotated[str | None, typer.Option(help="Why: a word of docs/reasons.md.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the fleet did, to what, and why."""
    dispatcher = Dispatcher(url, token_file)
    console = screen()
    filters = {"target": target, "actor": actor, "verb": verb, "reason": reason}
    page = dispatcher.get("/v1/events", {**filters, "limit": limit, "order": "newest"})
    for event in reversed(page["events"]):
        _show(console, event, as_json=as_json)
    if not page["events"] and not follow:
        typer.echo("no such event is known", err=True)
    if follow:
        with suppress(KeyboardInterrupt):
            _follow(dispatcher, console, filters, str(page["revision"]), as_json=as_json)


def _follow(
    dispatcher: Dispatcher, console: Console, filters: dict[str, str | None], cursor: str, *, as_json: bool
) -> None:
    """Show what comes, until Ctrl-C; a dispatcher that restarts is waited for, and said once."""
    silent = False
    while True:
        time.sleep(FOLLOW_S)
        page = dispatcher.look("/v1/events", {**filters, "cursor": cursor, "limit": 500, "order": "oldest"})
        if isinstance(page, str):
            if not silent:
                typer.echo(page, err=True)
            silent = True
            continue
        silent = False
        for event in page["events"]:
            _show(console, event, as_json=as_json)
        cursor = page["next_cursor"] or cursor


def _show(console: Console, event: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(event))
        return
    outcome = "" if event["outcome"] == "ok" else f" [{event['outcome']}]"
    detail = f": {event['detail']}" if event["detail"] else ""
    what = f"{event['actor']} {event['verb']} {event['target']} ({event['reason']})"
    console.print(f"{event['at'][11:23]} {what}{outcome}{detail}", markup=False)
