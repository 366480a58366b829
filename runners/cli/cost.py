"""``fly-gha cost``: what the fleet cost, and what of it no job had."""

import json
import re
from enum import StrEnum
from typing import Annotated, Any

import typer
from rich.table import Table

from runners.cli.cells import DASH, columns, shortened, usd
from runners.cli.dispatcher import DEFAULT_URL, Dispatcher, JsonOption, TokenOption, UrlOption
from runners.cli.outcome import Exit, fail
from runners.cli.screen import screen
from runners.upstream.clock import SystemClock
from runners.wire.times import rfc3339, unix_seconds

DAY = 86_400.0
_SPAN = re.compile(r"(\d{1,4})(h|d|w)")
_UNITS = {"h": 3_600.0, "d": DAY, "w": 7 * DAY}
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_TO_THE_MINUTE = len("2026-01-01T00:00")


class Group(StrEnum):
    """What to group by."""

    POOL = "pool"
    REPO = "repo"
    WORKFLOW = "workflow"
    CLASS = "class"
    REGION = "region"
    DAY = "day"


# The API's word, where the command line has a shorter one; and the field of a row.
_ASKED = {Group.REPO: "repository"}
_FIELDS = {Group.REPO: "repository", Group.CLASS: "machine_class"}


def cost(
    url: UrlOption = DEFAULT_URL,
    token_file: TokenOption = "",
    by: Annotated[
        list[Group] | None,
        typer.Option(help=f"Group by {', '.join(Group)}; may be repeated. Without it by pool."),
    ] = None,
    since: Annotated[
        str, typer.Option(help="24h, 7d, 4w, today (00:00 UTC), a date, or a time with its zone.")
    ] = "24h",
    until: Annotated[str | None, typer.Option(help="Likewise; now when not given.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was used and what it cost, the dearest first; boots, spares and idle time apart."""
    groups = list(dict.fromkeys(by or [Group.POOL]))
    now = SystemClock().now()
    found = Dispatcher(url, token_file).get(
        "/v1/usage",
        {
            "by": [_ASKED.get(group, group.value) for group in groups],
            "since": _moment(since, "--since", now),
            "until": None if until is None else _moment(until, "--until", now),
        },
    )
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    console = screen()
    window = f"{found['since'][:_TO_THE_MINUTE]} to {found['until'][:_TO_THE_MINUTE]} UTC"
    total = found["total"]
    console.print(f"{usd(total['usd'])} from {window}, estimated", markup=False)
    console.print(_table(groups, found))
    if found["truncated"]:
        console.print("only the dearest are shown", markup=False)
    console.print(_waste(total), markup=False)


def _table(groups: list[Group], found: dict[str, Any]) -> Table:
    names = [group.value for group in groups]
    table = columns(*names, "jobs", "busy", "paid", "jobs $", "waste $", "total", cut=tuple(names))
    for column in table.columns[len(names) :]:
        column.justify = "right"
    for row in (*found["rows"], found["total"]):
        cells = [shortened(row[_FIELDS.get(group, group.value)] or DASH) for group in groups]
        if row is found["total"]:
            cells = [shortened("total"), *(shortened("") for _ in groups[1:])]
        table.add_row(
            *cells,
            str(row["jobs"]),
            _minutes(row["busy_minutes"]),
            _minutes(row["machine_minutes"]),
            usd(row["busy_usd"]),
            usd(row["waste_usd"]),
            usd(row["usd"]),
        )
    return table


def _waste(total: dict[str, Any]) -> str:
    parts = (
        ("booting", "boot_minutes"),
        ("ready spares", "spare_minutes"),
        ("idle runners", "idle_minutes"),
        ("stopped spares", "stopped_minutes"),
    )
    spent = ", ".join(f"{_minutes(total[name])} {words}" for words, name in parts if total[name])
    return f"waste {usd(total['waste_usd'])}: {spent}" if spent else "no waste"


def _minutes(minutes: float) -> str:
    if minutes < 1:
        return f"{minutes * 60:.0f} s"
    return f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h"  # noqa: PLR2004 - two figures


def _moment(text: str, option: str, now: float) -> str:
    """What an operator writes, as the API takes it."""
    span = _SPAN.fullmatch(text)
    if span is not None:
        return rfc3339(now - int(span[1]) * _UNITS[span[2]])
    if text == "today":
        # At midnight itself nothing is past yet, and a window must have some length.
        return rfc3339(min(now - now % DAY, now - 1.0))
    try:
        return rfc3339(unix_seconds(f"{text}T00:00:00Z" if _DATE.fullmatch(text) else text))
    except ValueError:
        fail(
            Exit.BAD_USE,
            f"{option} {text!r} is no time: expected 24h, 7d, 4w, today, 2026-01-31, or a time such as "
            "2026-01-31T08:00:00Z.",
        )
