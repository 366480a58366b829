"""Files of init: written whole or not at all, and never over another unless told to, which keeps a copy."""

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written.

    Attributes:
        path: where.
        text: all of it.
        what: what it is, in a few words.
    """

    path: Path
    text: str
    what: str


def in_the_way(files: Iterable[NewFile]) -> tuple[Path, ...]:
    """The paths at which something else is; a file that is already as it shall be is not in the way."""
    return tuple(file.path for file in files if os.path.lexists(file.path) and not is_there(file))


def write(file: NewFile) -> Path | None:
    """Write one file; what was there is kept beside it, and the copy's path returned.

    A reader sees the old file or the new one, never a part; nothing is written through a link.

    Raises:
        OSError: it cannot be written; then nothing has changed.
    """
    if is_there(file):
        return None
    file.path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, made = tempfile.mkstemp(dir=file.path.parent, prefix=f".{file.path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            os.fchmod(out.fileno(), 0o644)
            out.write(file.text)
            out.flush()
            os.fsync(out.fileno())
        kept = _keep(file.path)
        Path(made).replace(file.path)
    except BaseException:
        Path(made).unlink(missing_ok=True)
        raise
    return kept


def is_there(file: NewFile) -> bool:
    """Whether the file is already as it shall be."""
    try:
        return not file.path.is_symlink() and file.path.read_text(encoding="utf-8") == file.text
    except (OSError, UnicodeDecodeError):
        return False


def _keep(path: Path) -> Path | None:
    """Make a second name for what is there: ``fleet.toml.old``, or the first of ``.old2`` … that is free."""
    if not os.path.lexists(path):
        return None
    number = 1
    while True:
        kept = path.with_name(f"{path.name}.old{number if number > 1 else ''}")
        try:
            os.link(path, kept, follow_symlinks=False)
        except FileExistsError:
            number += 1
            continue
        return kept
