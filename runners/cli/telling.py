"""Telling: an operator's answer in one headline and what happens next, wrapped for a person's terminal."""

import json
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import typer

from runners.cli.screen import screen

INDENT = "  "


def tell(headline: str, answer: dict[str, Any], *, as_json: bool) -> None:
    """The answer: as JSON, or in words."""
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
        return
    say((headline,), indent="")
    say(answer["next"])
    said = "" if answer.get("changed", True) else ", unchanged"
    say((f"revision {answer['revision']}{said}",))


def say(lines: Iterable[str], indent: str = INDENT) -> None:
    """Lines, each hanging by its own indent; in a pipe each stays whole."""
    console = screen()
    for line in lines:
        text = f"{indent}{line}"
        if sys.stdout.isatty():
            text = textwrap.fill(
                line, console.width, initial_indent=indent, subsequent_indent=f"{indent}{INDENT}"
            )
        console.print(text, markup=False)


def was(answer: dict[str, Any], done: str, already: str) -> str:
    """Which of two words the answer is: it was done, or was so already."""
    return done if answer["changed"] else already
