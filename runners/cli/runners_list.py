"""``fly-gha runners``: who is there, the latest requested first."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from runners.cli.cells import DASH, age, columns, partly, shortened
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen
from runners.model.states import RunnerState


def runners(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    state: Annotated[
        list[RunnerState] | None, typer.Option(help="In this state; may be repeated.", metavar="STATE")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Of this pool.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Those that are gone, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the runners that are not gone, with the job each one runs."""
    states = list(RunnerState) if everything else state
    page = Dispatcher(url, token_file).get(
        "/v1/runners", {"state": states or None, "pool": pool, "limit": limit}
    )
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    console = screen()
    if not page["runners"]:
        such = "such " if states or pool else ""
        others = "" if everything else "; those that are gone are listed with --all"
        console.print(f"no {such}runner is there{others}", markup=False)
        return
    console.print(_table(page))
    if page["next_cursor"] is not None:
        console.print(partly(len(page["runners"]), page["total"]), markup=False)


def _table(page: dict[str, Any]) -> Table:
    table = columns("runner", "state", "for", "pool", "job", "why", cut=("pool",))
    for runner in page["runners"]:
        table.add_row(
            runner["name"],
            runner["state"],
            age(runner["state_at"], page["as_of"]),
            shortened(runner["pool"]),
            DASH if runner["job_id"] is None else str(runner["job_id"]),
            runner["reason"] or DASH,
        )
    return table
