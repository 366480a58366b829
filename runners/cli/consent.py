"""Consent: nothing takes capacity away unless somebody said yes, by ``--yes`` or when asked."""

import sys
from typing import Annotated

import typer

from runners.cli.outcome import Exit, fail

ReasonOption = Annotated[
    str, typer.Option("--reason", help="Who wants it and why, in your words; kept in the event.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before taking capacity away.")]


def consented(question: str, *, yes: bool) -> None:
    """Ask, unless ``--yes`` has answered; a script without it is bad use, and a no ends the verb."""
    if yes:
        return
    if not sys.stdin.isatty():
        fail(Exit.BAD_USE, f"{question} Nobody is there to be asked: add --yes.")
    try:
        said = typer.confirm(question, err=True)
    except typer.Abort:
        said = False
    if not said:
        fail(Exit.NO, "Nothing was changed.")
