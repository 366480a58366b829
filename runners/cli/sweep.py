"""``fly-gha sweep``: look now for what lost its partner; ``--dry-run`` only says what would be ended."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from runners.cli.consent import ReasonOption
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen
from runners.cli.telling import say


def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be ended.")] = False,
    reason: ReasonOption = "",
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Read the lists of Fly and GitHub now, and end what two readings agree has lost its partner."""
    body = {"dry_run": dry_run, "reason": reason}
    answer = Dispatcher(url, token_file).change("POST", "/v1/sweep", body)
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    found = answer["found"]
    at = (answer["planned_at"] or "")[11:19]
    seen = f"at the planner's look of {at} UTC" if at else "before the planner's first look"
    say((f"{len(found)} found {seen}",), indent="")
    if found:
        screen().print(_table(found))
    say(answer["next"])


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table("what", "name", "why", "ends", box=None)
    for each in found:
        ends = "next pass" if each["confirmed"] else (each["confirmed_at"] or "")[11:19] or "when confirmed"
        table.add_row(each["kind"], each["name"], each["reason"], ends)
    return table
