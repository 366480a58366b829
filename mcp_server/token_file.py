"""TokenFile: the callers' tokens on disk, changed so that neither two hands at once nor a kill lose anything.

One JSON document that its owner alone may read. It is never written in place: the new text is made durable
beside it and takes its name in one step, under a lock that the kernel lifts when its holder dies. Whoever
reads sees either the old or the new document.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from mcp_server.tokens import Token

TOKENS_MAX = 10_000
BYTES_MAX = 16 * 1024 * 1024
_PRIVATE = 0o600

Result = TypeVar("Result")
Stamp = tuple[int, ...]
"""Tells one state of the file from another."""


class TokensUnusable(Exception):
    """The token file cannot be read or written.

    Attributes:
        why: in one sentence, without anything the file says.
        next_step: what to do.
    """

    def __init__(self, path: Path, attempted: str, why: str, next_step: str) -> None:
        self.why = why
        self.next_step = next_step
        super().__init__(f"{attempted} the token file {path}: {why}; next: {next_step}")


class _Document(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)

    version: Literal[1]
    tokens: tuple[Token, ...]


class TokenFile:
    """The tokens in one file.

    Args:
        path: the file; a symbolic link is followed, and stays.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def stamp(self) -> Stamp | None:
        """What is there now, for comparing; None when nothing is.

        Raises:
            TokensUnusable: not even that can be told.
        """
        try:
            found = os.stat(self.path)  # noqa: PTH116 - asked for every call, and a Path's is slower
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("look at", error) from None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode

    def read(self) -> tuple[Token, ...] | None:
        """Every token ever made, revoked ones included, oldest first; None when there is no file.

        Raises:
            TokensUnusable: it cannot be read, others can read it, or it is no token file.
        """
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._failed("open", error) from None
        try:
            # The opened file is looked at, not its name: nobody can swap it in between.
            self._refuse_unless_private(os.fstat(descriptor))
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                data = file.read(BYTES_MAX + 1)
        except OSError as error:
            raise self._failed("read", error) from None
        finally:
            os.close(descriptor)
        return self._parsed(data)

    def change(self, op: Callable[[tuple[Token, ...]], tuple[tuple[Token, ...], Result]]) -> Result:
        """Replace the tokens by what ``op`` makes of them; durable when this returns.

        Args:
            op: gets the tokens, gives the new ones and a result. Nothing is written when they are the same.

        Raises:
            TokensUnusable: like ``read``; or it cannot be written, and is as it was.
        """
        target = self.path.resolve()
        with self._locked(target):
            before = self.read() or ()
            after, result = op(before)
            if after != before:
                self._write(target, after)
            return result

    @contextlib.contextmanager
    def _locked(self, target: Path) -> Iterator[None]:
        """Alone, among all who change this file on this machine."""
        lock = target.with_name(target.name + ".lock")
        try:
            descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _PRIVATE)
        except OSError as error:
            raise self._failed("lock", error) from None
        try:
            self._give_to_owner(descriptor, target)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _write(self, target: Path, tokens: tuple[Token, ...]) -> None:
        data = _Document(version=1, tokens=tokens).model_dump_json(indent=1).encode() + b"\n"
        if len(tokens) > TOKENS_MAX or len(data) > BYTES_MAX:
            raise TokensUnusable(
                self.path,
                "add to",
                f"it would be larger than {TOKENS_MAX} tokens or {BYTES_MAX} bytes",
                "take tokens that have ended out of the file",
            )
        new = target.with_name(target.name + ".new")
        try:
            # What a killed predecessor left; the lock says that nobody is using it.
            new.unlink(missing_ok=True)
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _PRIVATE)
            with os.fdopen(descriptor, "wb") as file:
                self._give_to_owner(descriptor, target)
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            new.replace(target)
            _sync_directory(target.parent)
        except OSError as error:
            with contextlib.suppress(OSError):
                new.unlink(missing_ok=True)
            raise self._failed("write", error) from None

    def _give_to_owner(self, descriptor: int, target: Path) -> None:
        """Root may make tokens for a server that runs as somebody else: the files stay that user's."""
        if os.geteuid() != 0:
            return
        owner = target if target.exists() else target.parent
        found = owner.stat()
        os.fchown(descriptor, found.st_uid, found.st_gid)

    def _parsed(self, data: bytes) -> tuple[Token, ...]:
        restore = f"restore it from a copy, or move it away and make new tokens with the file {self.path}"
        if len(data) > BYTES_MAX:
            raise TokensUnusable(self.path, "read", "it is larger than any token file", restore)
        try:
            tokens = _Document.model_validate_json(data).tokens
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False, include_input=False)[0]
            place = ".".join(part if isinstance(part, str) else str(part) for part in first["loc"])
            why = f"it is no token file: {place or 'the text'} is not valid ({first['type']})"
            raise TokensUnusable(self.path, "read", why, restore) from None
        if len({token.id for token in tokens}) < len(tokens):
            raise TokensUnusable(self.path, "read", "two tokens in it have the same id", restore)
        return tokens

    def _refuse_unless_private(self, found: os.stat_result) -> None:
        mode = stat.S_IMODE(found.st_mode)
        if not stat.S_ISREG(found.st_mode):
            raise TokensUnusable(self.path, "read", "it is not a regular file", "name the token file")
        if mode & 0o077:
            raise TokensUnusable(
                self.path,
                "read",
                f"others can read or change it (mode {mode:04o})",
                f"chmod 600 {self.path}, and revoke tokens that you did not make",
            )
        if os.geteuid() != 0 and found.st_uid not in (os.geteuid(), 0):
            raise TokensUnusable(
                self.path,
                "read",
                f"it belongs to another user (uid {found.st_uid})",
                f"chown {os.geteuid()} {self.path}",
            )

    def _failed(self, attempted: str, error: OSError) -> TokensUnusable:
        words = error.strerror or type(error).__name__
        return TokensUnusable(
            self.path, attempted, words, "see that the directory exists and that this user may write there"
        )


def _sync_directory(directory: Path) -> None:
    """Make the new name durable, too."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
