"""What the runner says on its terminal: UTF-8 in any locale, at once, since others wait for these lines."""

import sys
import time


def say(*lines: str) -> None:
    """Print lines to standard output."""
    sys.stdout.buffer.write("".join(line + "\n" for line in lines).encode())
    sys.stdout.buffer.flush()


def stamp(text: str) -> None:
    """Print a line with the time in front, as the listener does."""
    say(f"{time.strftime('%Y-%m-%d %H:%M:%SZ', time.gmtime())}: {text}")


def error(text: str) -> None:
    """Print a line to standard error."""
    sys.stderr.buffer.write(f"{text}\n".encode())
    sys.stderr.buffer.flush()
