r"""Credentials from the environment or from a file that nobody else can read: the embedded default.

A file has ``NAME=value`` lines, blank lines and ``#`` comments. A value in double quotes may span lines and
knows ``\n``, ``\"`` and ``\\``, so a PEM key fits either way. Both are read anew each time: changing the
file is a rotation.
"""

import os
import re
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import SecretStr

from runners.secrets.interface import SourceRefused
from runners.secrets.names import is_credential

LONGEST_FILE = 1_048_576  # bytes; a hundred PEM keys fit.

_SKIPPED = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_NAME = r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*"
_PLAIN = re.compile(_NAME + r'((?!")[^\n]*)(?:\n|\Z)')
_QUOTED = re.compile(_NAME + r'"((?:[^"\\]|\\.)*)"[ \t]*(?:#[^\n]*)?(?:\n|\Z)', re.DOTALL)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


class EnvironmentSecrets:
    """The credentials among the variables of an environment; all other variables are left alone.

    Args:
        environ: usually ``os.environ``; looked at on every read.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def where(self) -> str:
        """The place in words."""
        return "the environment"

    async def read(self) -> Mapping[str, SecretStr]:
        """The variables that bear a credential's name."""
        return {name: SecretStr(value) for name, value in self._environ.items() if is_credential(name)}


class FileSecrets:
    """The credentials in one file.

    Args:
        path: the file; it must be a regular file that its owner alone can read, mode 0600 or stricter.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def where(self) -> str:
        """The place in words."""
        return f"the secrets file {self._path}"

    async def read(self) -> Mapping[str, SecretStr]:
        """Everything the file assigns.

        Raises:
            SourceRefused: it is not there, others can read it, or a line is no assignment.
        """
        return dict(self._assignments(self._text()))

    def _text(self) -> str:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as failed:
            raise SourceRefused(
                self.where,
                f"it cannot be opened ({failed.strerror})",
                f"create it with: install -m 600 /dev/null {self._path}",
            ) from None
        # The opened file is looked at, not its name: nobody can swap it in between.
        try:
            self._refuse_unless_private(os.fstat(descriptor))
        except SourceRefused:
            os.close(descriptor)
            raise
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(LONGEST_FILE + 1)
        if len(data) > LONGEST_FILE:
            raise SourceRefused(self.where, "it is longer than 1 MiB", "name the file that has the secrets")
        text = data.decode("utf-8", errors="replace")
        if "\ufffd" in text:
            raise SourceRefused(self.where, "it is not UTF-8 text", "write NAME=value lines")
        return text.replace("\r\n", "\n")

    def _refuse_unless_private(self, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise SourceRefused(self.where, "it is not a regular file", "name a file of NAME=value lines")
        mode = stat.S_IMODE(status.st_mode)
        if mode & 0o077:
            raise SourceRefused(
                self.where,
                f"others can read or change it (mode {mode:04o})",
                f"chmod 600 {self._path}, and replace the secrets if others may have read them",
            )
        if status.st_uid not in (os.geteuid(), 0):
            raise SourceRefused(
                self.where,
                f"it belongs to another user (uid {status.st_uid})",
                f"chown {os.geteuid()} {self._path}",
            )

    def _assignments(self, text: str) -> Iterator[tuple[str, SecretStr]]:
        position = 0
        while position < len(text):
            if skipped := _SKIPPED.match(text, position):
                position = skipped.end()
            elif plain := _PLAIN.match(text, position):
                yield plain[1], SecretStr(plain[2].strip())
                position = plain.end()
            elif quoted := _QUOTED.match(text, position):
                yield quoted[1], SecretStr(_unescaped(quoted[2]))
                position = quoted.end()
            else:
                raise self._bad_line(text, position)

    def _bad_line(self, text: str, position: int) -> SourceRefused:
        number = text.count("\n", 0, position) + 1
        return SourceRefused(
            self.where,
            f"line {number} is not NAME=value, or its quotes do not end",
            'write NAME=value or NAME="several lines"',
        )


def _unescaped(quoted: str) -> str:
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[0]), quoted, flags=re.DOTALL)
