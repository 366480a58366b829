"""Standard streams as a verb finds them: closed by whoever called it, or a file on a disk that is full."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from runners.cli.outcome import Exit

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EIO)


def open_closed_streams() -> None:
    """Open what was closed, on nothing: Python has None in its place, and a database could get its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115 - for good


@contextmanager
def refused_output() -> Iterator[None]:
    """End the verb with a sentence when its output cannot be written; what it did is done."""
    try:
        yield
    except OSError as error:
        # A file that cannot be written has its name in the error; a stream has none.
        if error.filename is not None or error.errno not in _FULL:
            raise
        with suppress(OSError):
            sys.stderr.write(
                f"The output could not be written: {error.strerror}. What was done stays done.\n"
            )
            sys.stderr.flush()
        os._exit(Exit.UNREACHABLE)  # an orderly end would try to write it again, and fail again
