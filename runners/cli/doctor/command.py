"""``fly-gha doctor``: each thing the fleet needs, whether it is there, and the one next step if not."""

import asyncio
import json
import os
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from runners.cli.configuration import DEFAULT_CONFIG, ConfigOption
from runners.cli.dispatcher import JsonOption
from runners.cli.doctor.checks_fly import fly
from runners.cli.doctor.checks_github import github
from runners.cli.doctor.checks_ground import ground
from runners.cli.doctor.checks_reach import reach
from runners.cli.doctor.facts import Facts
from runners.cli.doctor.finding import Finding, Verdict, failed
from runners.cli.doctor.gather import gather
from runners.cli.outcome import Exit
from runners.cli.screen import screen
from runners.fleet_file import FleetFileInvalid, load_settings
from runners.upstream.clock import SystemClock

_STYLES = {Verdict.OK: "green", Verdict.FAILED: "bold red", Verdict.UNKNOWN: "yellow"}


def doctor(
    config: ConfigOption = DEFAULT_CONFIG,
    as_app: Annotated[
        bool,
        typer.Option(
            "--as-app", help="Ask as the GitHub App, with its key: run it where the publisher runs."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check all that a fleet needs, before the dispatcher runs or while it does.

    Exit 1 when a line failed. One that is unknown fails nothing: some things cannot be known from here.
    """
    try:
        settings = load_settings(config)
    except FleetFileInvalid as error:
        what = "; ".join(error.mistakes)
        findings: tuple[Finding, ...] = (
            failed("configuration", what, f"mend {config}; everything else rests on it"),
        )
    else:
        facts = asyncio.run(gather(settings, os.environ, SystemClock(), as_app=as_app))
        findings = judged(facts)
    if as_json:
        typer.echo(
            json.dumps({"ok": _ok(findings), "findings": [asdict(each) for each in findings]}, indent=2)
        )
    else:
        _show(screen(), findings)
    if not _ok(findings):
        raise typer.Exit(Exit.NO)


def judged(facts: Facts) -> tuple[Finding, ...]:
    """Every line, from the ground up."""
    return (*ground(facts), *github(facts), *fly(facts), *reach(facts))


def _ok(findings: tuple[Finding, ...]) -> bool:
    return all(each.verdict is not Verdict.FAILED for each in findings)


def _show(console: Console, findings: tuple[Finding, ...]) -> None:
    width = max(len(verdict) for verdict in Verdict)
    for each in findings:
        console.print(f"{each.verdict:<{width}}", style=_STYLES[each.verdict], end=" ", markup=False)
        console.print(f"{each.about}: {each.detail}", markup=False)
        if each.next_step:
            console.print(f"{'':<{width}}   next: {each.next_step}", markup=False)
    counts = [(sum(each.verdict is verdict for each in findings), verdict) for verdict in Verdict]
    console.print(", ".join(f"{count} {verdict}" for count, verdict in counts))
