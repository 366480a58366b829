"""The console of an answer: wrapped for a person's terminal, in whole lines for a file, a pipe or grep."""

import os
import sys

from rich.console import Console

# No table of ours is wider. A terminal's width means nothing in a pipe, unless somebody sets it.
WHOLE = 1_000


def screen() -> Console:
    """A console on standard output."""
    person = sys.stdout.isatty()
    width = None if person or "COLUMNS" in os.environ else WHOLE
    return Console(highlight=False, soft_wrap=not person, width=width)
