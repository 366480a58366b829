"""Exit codes of every verb of fly-gha-status, and how a verb ends with one sentence instead of a traceback.

0 ok · 1 the answer is no · 2 bad use · 3 unreachable: the same as those of fly-gha.
"""

from enum import IntEnum
from typing import NoReturn

import typer


class Exit(IntEnum):
    """What a verb's exit code means."""

    OK = 0
    NO = 1
    BAD_USE = 2
    UNREACHABLE = 3


def fail(code: Exit, message: str) -> NoReturn:
    """End the verb: the message goes to standard error, as it is."""
    typer.echo(message, err=True)
    raise typer.Exit(code)
