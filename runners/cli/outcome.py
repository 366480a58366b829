"""Exit codes of every verb, and how a verb ends with one sentence instead of a traceback.

0 ok · 1 the answer is no · 2 bad use · 3 unreachable. The README documents them; scripts rely on them.
"""

import sys
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console


class Exit(IntEnum):
    """What a verb's exit code means."""

    OK = 0
    NO = 1
    BAD_USE = 2
    UNREACHABLE = 3


def fail(code: Exit, message: str) -> NoReturn:
    """End the verb: the message goes to standard error, wrapped at a terminal only."""
    console = Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())
    console.print(message, markup=False)
    raise typer.Exit(code)
