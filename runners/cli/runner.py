"""``fly-gha runner NAME``: one runner's whole life: its way by phase, its Machine's end, and every event."""

import json
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.console import Console

from runners.cli.cells import time_of_day, words
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.outcome import Exit, fail
from runners.cli.phases import phase_table
from runners.cli.screen import screen

# What went wrong ends a life, so the latest events are those worth a screen.
EVENTS_SHOWN = 20


def runner(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The runner's name, as GitHub shows it.")],
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    as_json: JsonOption = False,
) -> None:
    """Tell one runner's history, also when it is long gone."""
    found = Dispatcher(url, token_file).get(f"/v1/runners/{_segment(name)}")
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    _show(screen(), found)


def _show(console: Console, found: dict[str, Any]) -> None:
    who, machine = found["runner"], found["machine"]
    why = f" ({who['reason']})" if who["reason"] else ""
    console.print(f"runner {who['name']} · {who['state']}{why}", markup=False)
    job = "no job" if who["job_id"] is None else f"job {who['job_id']}"
    line = words(f"pool {who['pool']}", who["scope"], who["registration"], job)
    console.print(f"  {line}", markup=False)
    if machine is None:
        console.print("  its Machine's row is no longer kept", markup=False)
    else:
        place = words(f"{machine['app']} {machine['region']}", machine["machine_class"], machine["state"])
        console.print(f"  Machine {machine['fly_id'] or machine['name']} · {place}", markup=False)
    console.print(phase_table(found["phases"]))
    _end(console, found)
    if found["last_lines"]:
        console.print("  the last lines of its log", markup=False)
        for line in found["last_lines"]:
            console.print(f"    {line}", markup=False)
    events = found["events"]
    earlier = len(events) - EVENTS_SHOWN
    console.print("  events" + (f" (the latest {EVENTS_SHOWN})" if earlier > 0 else ""), markup=False)
    for event in events[-EVENTS_SHOWN:]:
        detail = f": {event['detail']}" if event["detail"] else ""
        what = f"{event['actor']} {event['verb']} {event['target'].partition('/')[0]} ({event['reason']})"
        console.print(f"    {time_of_day(event['at'])} {what}{detail}", markup=False)


def _end(console: Console, found: dict[str, Any]) -> None:
    """How its Machine's main process ended, as far as anybody saw."""
    boot = found["boot"]
    if boot is None or boot["ended_at"] is None:
        return
    code = "its exit code was not seen" if boot["exit_code"] is None else f"exit code {boot['exit_code']}"
    reason = boot["exit_reason"] or "for no reason that was seen"
    console.print(f"  ended {time_of_day(boot['ended_at'])}: {code}, {reason}", markup=False)


def _segment(name: str) -> str:
    """The name as one segment of a path; the dispatcher says what could be no name.

    Dots alone would lead elsewhere, and an empty name to the list.
    """
    if not name.strip("."):
        fail(Exit.NO, f"There is no runner {name!r}; `fly-gha runners --all` lists those that are known.")
    return quote(name, safe="")
