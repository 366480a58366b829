"""The console of an answer: wrapped for a person's terminal, in whole lines for a file, a pipe or grep."""

import sys

from rich.console import Console


def screen() -> Console:
    """A console on standard output."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())
