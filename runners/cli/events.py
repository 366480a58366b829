"""``fly-gha events``: the audit trail, newest last; ``--follow`` waits for more."""

import json
import time
from typing import Annotated, Any

import typer
from rich.console import Console

from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption

FOLLOW_S = 1.0


def events(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    target: Annotated[
        str | None, typer.Option(help="job/ID, runner/NAME, machine/NAME or pool/NAME.")
    ] = None,
    actor: Annotated[str | None, typer.Option(help="Who did it: planner, webhook, claim …")] = None,
    verb: Annotated[
        str | None, typer.Option(help="What was done: moved, requested, refused, retired …")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what the fleet did, to what, and why."""
    dispatcher = Dispatcher(url, token_file)
    console = Console(highlight=False, soft_wrap=True)
    filters = {"target": target, "actor": actor, "verb": verb}
    page = dispatcher.get("/v1/events", {**filters, "limit": limit, "order": "newest"})
    for event in reversed(page["events"]):
        _show(console, event, as_json=as_json)
    cursor = str(page["revision"])
    while follow:
        time.sleep(FOLLOW_S)
        page = dispatcher.get("/v1/events", {**filters, "cursor": cursor, "limit": 500, "order": "oldest"})
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
