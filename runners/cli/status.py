"""``fly-gha status``: the fleet at a glance, in 80 columns."""

import json
from typing import Any

import typer
from rich.table import Table

from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen

_LIVE_RUNNERS = ("requested", "launching", "booting", "claimed", "idle", "busy", "retiring")


def status(url: UrlOption = DEFAULT_URL, token_file: TokenOption = "", as_json: JsonOption = False) -> None:
    """Show pools, queue, what is held back, and what is wrong."""
    fleet = Dispatcher(url, token_file).get("/v1/status")
    if as_json:
        typer.echo(json.dumps(fleet, indent=2))
        return
    console = screen()
    queue, paused = fleet["queue"], " (paused)" if fleet["paused"] else ""
    counts = (
        f"{queue['queued']} queued · {queue['in_progress']} running · {queue['waiting']} awaiting approval"
    )
    spent = f"${fleet['budget']['spent_today_usd']:.2f} today"
    console.print(f"fleet {fleet['fleet']}{paused} · {counts} · {spent}", markup=False)
    console.print(_pools(fleet["pools"]))
    for held in fleet["held"]:
        console.print(f"  held: {held['count']} x {held['text']}", markup=False)
    for line in _wrong(fleet):
        console.print(line, style="bold red", markup=False)


def _pools(pools: list[dict[str, Any]]) -> Table:
    table = Table("pool", "queued", "coming", "idle", "busy", "ending", "Machines", box=None)
    for pool in pools:
        runners = pool["runners"]
        coming = sum(runners.get(state, 0) for state in _LIVE_RUNNERS[:4])
        drained = " (drained)" if pool["drained"] else ""
        table.add_row(
            pool["name"] + drained,
            str(pool["queue"]["queued"]),
            str(coming),
            str(runners.get("idle", 0)),
            str(runners.get("busy", 0)),
            str(runners.get("retiring", 0)),
            f"{pool['live_machines']}/{pool['max_machines']}",
        )
    return table


def _wrong(fleet: dict[str, Any]) -> list[str]:
    lines = [
        f"loop {loop['name']} is {loop['state']}: {loop['last_error'] or 'no pass lately'}"
        for loop in fleet["loops"]
        if loop["state"] in ("failing", "late")
    ]
    for upstream in fleet["upstreams"]:
        if upstream["credential_missing"]:
            lines.append(f"{upstream['key']}: credential missing: {upstream['credential_missing']}")
        elif upstream["blocked_until"]:
            lines.append(f"{upstream['key']}: no calls until {upstream['blocked_until']}")
    return lines
