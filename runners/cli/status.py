"""``fly-gha status``: the fleet at a glance, in 80 columns; ``--watch`` keeps it so."""

import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.screen import screen
from runners.cli.watch import watch
from runners.model.groups import TRUST

_LIVE_RUNNERS = ("requested", "launching", "booting", "claimed", "idle", "busy", "retiring")


def status(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    watching: Annotated[
        bool, typer.Option("--watch", "-w", help="Show it anew whenever it changes, until Ctrl-C.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show pools, queue, what is held back, and what is wrong."""
    dispatcher = Dispatcher(url, token_file)
    if watching:
        watch(lambda: dispatcher.look("/v1/status"), glance, as_json=as_json)
        return
    fleet = dispatcher.get("/v1/status")
    if as_json:
        typer.echo(json.dumps(fleet, indent=2))
        return
    screen().print(glance(fleet))


def glance(fleet: dict[str, Any]) -> RenderableType:
    """A FleetStatus on one screen."""
    queue, paused = fleet["queue"], " (paused)" if fleet["paused"] else ""
    counts = (
        f"{queue['queued']} queued · {queue['in_progress']} running · {queue['waiting']} awaiting approval"
    )
    spent = f"${fleet['budget']['spent_today_usd']:.2f} today"
    lines: list[RenderableType] = [Text(f"fleet {fleet['fleet']}{paused} · {counts} · {spent}")]
    lines.append(_pools(fleet["pools"]))
    lines += [
        Text(f"  spares of {pool['name']}: {', '.join(said)}")
        for pool in fleet["pools"]
        if (said := tuple(_spares(pool["spares"])))
    ]
    lines += [
        Text(f"  overridden in {pool['name']}: {', '.join(pool['overrides'])}")
        for pool in fleet["pools"]
        if pool["overrides"]
    ]
    lines += [Text(f"  {_held(held)}") for held in fleet["held"]]
    lines += [Text(line, style="bold red") for line in _wrong(fleet)]
    return Group(*lines)


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


def _spares(spares: dict[str, int]) -> Iterator[str]:
    """What is there of what is wanted, of the kinds that the pool keeps or still has."""
    for kind in ("ready", "stopped"):
        there, wanted = spares[kind], spares[f"{kind}_wanted"]
        if there or wanted:
            yield f"{there} of {wanted} {kind}"
    if spares["outdated"]:
        yield f"{spares['outdated']} outdated, being replaced"


def _held(held: dict[str, Any]) -> str:
    if held["reason"] in TRUST:
        return f"{held['pool']} launches nothing: {held['text']}"
    return f"held in {held['pool'] or 'the fleet'}: {held['count']} x {held['text']}"


def _wrong(fleet: dict[str, Any]) -> list[str]:
    lines = [
        f"loop {loop['name']} is {loop['state']}: {loop['last_error'] or 'no pass lately'}"
        for loop in fleet["loops"]
        if loop["state"] in ("failing", "late")
    ]
    for upstream in fleet["upstreams"]:
        if upstream["credential_missing"]:
            lines.append(f"{upstream['key']}: credential missing: {upstream['credential_missing']}")
        elif upstream["credential_ageing"]:
            lines.append(f"{upstream['key']}: ends soon, not replaced: {upstream['credential_ageing']}")
        if upstream["blocked_until"] and not upstream["credential_missing"]:
            lines.append(f"{upstream['key']}: no calls until {upstream['blocked_until']}")
    return lines
