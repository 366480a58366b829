"""Watching an answer: asked for every second, drawn in place on a terminal, one block per change elsewhere.

Asking again is all there is to it: a dispatcher that restarts is simply there again at the next look, and
meanwhile the last answer stays with a line that says how old it is.
"""

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from runners.cli.screen import screen

LOOK_S = 1.0
# What changes in an answer by itself, without anything having changed.
_CLOCKS = ("as_of", "planned_at", "loops")

Look = Callable[[], dict[str, Any] | str]


def watch(look: Look, draw: Callable[[dict[str, Any]], RenderableType], *, as_json: bool) -> None:
    """Show what ``look`` sees, until Ctrl-C.

    Args:
        look: an answer, or the sentence that says why there is none now.
        draw: an answer as something to print.
        as_json: print each changed answer as one line instead.
    """
    try:
        if as_json or not sys.stdout.isatty():
            _print_changes(look, draw, as_json=as_json)
        else:
            _draw_in_place(look, draw)
    except KeyboardInterrupt:
        return


def _draw_in_place(look: Look, draw: Callable[[dict[str, Any]], RenderableType]) -> None:
    last: dict[str, Any] | None = None
    with Live(console=screen(), auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            seen = look()
            if isinstance(seen, str):
                older = () if last is None else (draw(last), Text(f"as of {last['as_of']}", style="dim"))
                live.update(Group(*older, Text(seen, style="bold red")), refresh=True)
            else:
                last = seen
                live.update(Group(draw(seen), Text(f"as of {seen['as_of']}", style="dim")), refresh=True)
            time.sleep(LOOK_S)


def _print_changes(look: Look, draw: Callable[[dict[str, Any]], RenderableType], *, as_json: bool) -> None:
    console, shown = screen(), ""
    while True:
        seen = look()
        what = seen if isinstance(seen, str) else json.dumps(_without_clocks(seen))
        if what != shown:
            shown = what
            if isinstance(seen, str):
                typer.echo(seen, err=True)
            elif as_json:
                typer.echo(json.dumps(seen))
            else:
                console.print(draw(seen), Text(f"as of {seen['as_of']}"), sep="\n")
        time.sleep(LOOK_S)


def _without_clocks(seen: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in seen.items() if key not in _CLOCKS}
