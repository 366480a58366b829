"""``fly-gha jobs``: the queue in order, or with ``--all`` every job, the newest first."""

import json
from typing import Annotated, Any

import typer
from rich.table import Table

from runners.cli.cells import DASH, age, columns, partly, shortened
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen
from runners.model.states import JobState

# By state, when a job reached it.
_SINCE = {
    "waiting": "accepted_at",
    "queued": "queued_at",
    "in_progress": "in_progress_at",
    "completed": "completed_at",
}


def jobs(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    state: Annotated[
        list[JobState] | None, typer.Option(help="In this state; may be repeated.", metavar="STATE")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Of this pool.")] = None,
    repository: Annotated[str | None, typer.Option(help="Of this repository, as owner/name.")] = None,
    label: Annotated[str | None, typer.Option(help="That ask for this label.")] = None,
    run: Annotated[int | None, typer.Option(min=1, help="Of this workflow run.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Completed and refused ones, too.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="How many.")] = 50,
    as_json: JsonOption = False,
) -> None:
    """List the queue with what each job waits for, the longest waiting first."""
    history = everything or JobState.COMPLETED in (state or ())
    page = Dispatcher(url, token_file).get(
        "/v1/jobs",
        {
            "state": state or None,
            "pool": pool,
            "repository": repository,
            "label": label,
            "run_id": run,
            "order": "newest" if history else "oldest",
            "limit": limit,
        },
    )
    if as_json:
        typer.echo(json.dumps(page, indent=2))
        return
    console = screen()
    if not page["jobs"]:
        such = "such " if state or pool or repository or label or run else ""
        others = "known" if history else "open; completed and refused ones are listed with --all"
        console.print(f"no {such}job is {others}", markup=False)
        return
    console.print(_table(page))
    if page["next_cursor"] is not None:
        console.print(partly(len(page["jobs"]), page["total"]), markup=False)


def _table(page: dict[str, Any]) -> Table:
    table = columns("job", "state", "for", "pool", "workflow / name", "why", cut=("workflow / name",))
    for job in page["jobs"]:
        reason = job["why"]["reason"] if job["why"] else job["conclusion"] or DASH
        table.add_row(
            str(job["id"]),
            job["state"],
            age(job[_SINCE[job["state"]]], page["as_of"]),
            job["pool"] or DASH,
            shortened(f"{job['repository']} {job['workflow_name']} / {job['name']}"),
            reason,
        )
    return table
