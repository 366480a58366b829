"""What the demo prints at its end: figures, verdict, and the three commands to paste."""

import json
import shlex
from pathlib import Path

from rich.console import Console
from rich.table import Table

from runners.cli.demo.place import Place
from runners.cli.demo.reader import Reader
from runners.cli.demo.summary import Spread, Summary

TRACE_PAGE = 500
UP_S = 4


def print_summary(console: Console, summary: Summary) -> None:
    """Per-phase figures, the added latency, and the verdict."""
    console.print(
        f"\n[bold]Measured[/bold]: {summary.seconds:.1f} s at time scale 1:{summary.scale:g} "
        "(simulated latencies\nand all deadlines are that much shorter than real ones)"
    )
    table = Table("phase", "samples", "p50", "p95", box=None)
    for name, spread in summary.phases.items():
        table.add_row(name, str(spread.samples), _seconds(spread.p50), _seconds(spread.p95))
    console.print(table)
    added = summary.added_latency
    figures = f"p50 {_milliseconds(added.p50)}, p99 {_milliseconds(added.p99)}"
    console.print(f"added latency, webhook in -> launch call out, real time: {figures}")
    console.print(
        f"  ({_count(added)}; {summary.held_back} more jobs waited for a cap, or took over a runner)"
    )
    console.print("\n[bold]Verdict[/bold], from the simulators' own logs")
    for check in summary.checks:
        mark = "[green]ok    [/green]" if check.ok else "[red]FAILED[/red]"
        console.print(f"  {mark} {check.name}: ", end="")
        console.print(check.says, markup=False)
    word = "[bold green]PASSED[/bold green]" if summary.ok else "[bold red]FAILED[/bold red]"
    console.print(f"\n{word} (seed {summary.seed})")


def print_commands(
    console: Console, program: Path, place: Place, summary: Summary, *, keep_serving: bool
) -> None:
    """Commands to paste; without --keep-serving the first serves what the demo left, read-only.

    It waits until the dispatcher is up, so that all may be pasted at once.
    """
    try:
        fly_gha = str(program.resolve().relative_to(Path.cwd()))
    except ValueError:
        fly_gha = str(program)
    access = f"--url {place.url} --token-file {shlex.quote(str(place.token_file))}"
    serve = (
        f"{fly_gha} serve --observe --log-level error --config {shlex.quote(str(place.fleet))} & sleep {UP_S}"
    )
    console.print("\nTo paste:")
    for what, command in (
        *(() if keep_serving else (("keep it serving", serve),)),
        ("ask why", f"{fly_gha} why {summary.slowest_job} {access}"),
        ("the events", f"{fly_gha} events {access}"),
    ):
        console.print(f"  {what + ':':<17}{command}", markup=False, soft_wrap=True)


def write_summary(path: Path, summary: Summary) -> None:
    """Write the ``--json`` document."""
    path.write_text(json.dumps(summary.as_json(), indent=2) + "\n", encoding="utf-8")


async def print_trace(console: Console, reader: Reader, seen: int) -> int:
    """Print the dispatcher's events after ``seen``; returns the newest printed."""
    page = await reader.get("/v1/events", cursor=str(seen), limit=TRACE_PAGE, order="oldest")
    for event in page["events"]:
        seen = event["seq"]
        detail = f": {event['detail']}" if event["detail"] else ""
        line = (
            f"    {event['at'][17:23]} {event['actor']} {event['verb']} {event['target']} ({event['reason']})"
        )
        console.print(line + detail, markup=False, soft_wrap=True)
    return seen


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value * 1000:.0f} ms"


def _count(spread: Spread) -> str:
    return f"{spread.samples} launch" + ("" if spread.samples == 1 else "es")
