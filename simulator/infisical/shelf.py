"""The secrets of one project environment: folders, names, and every version ever written.

Values are trimmed on write but keep one trailing newline, as Infisical's server does, so a PEM key survives.
"""

import random
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from simulator.infisical.refusal import bad_request, not_found


@dataclass(frozen=True, slots=True)
class Version:
    """One written value; ``at`` is Unix seconds."""

    number: int
    value: str = field(repr=False)
    at: float


@dataclass(slots=True)
class Stored:
    """One secret with its history, oldest version first."""

    id: str
    name: str
    path: str
    comment: str
    versions: list[Version]

    @property
    def latest(self) -> Version:
        """The version that a read without a number gets."""
        return self.versions[-1]

    def version(self, number: int | None) -> Version:
        """One version, the latest for None.

        Raises:
            Refusal: 404 when there is no such version.
        """
        if number is None:
            return self.latest
        for version in self.versions:
            if version.number == number:
                return version
        raise not_found(f"Secret with name '{self.name}' has no version {number}")


class Shelf:
    """All folders of one environment.

    Args:
        folders: the paths that exist; ``/`` always does.
        rng: seeded; secret ids come from it.
    """

    def __init__(self, folders: Iterable[str], rng: random.Random) -> None:
        self._rng = rng
        self._folders: dict[str, dict[str, Stored]] = {path: {} for path in ("/", *folders)}

    def folder(self, path: str) -> list[Stored]:
        """The secrets of one folder, by name.

        Raises:
            Refusal: 404 when there is no such folder.
        """
        return [stored for _, stored in sorted(self._in(path).items())]

    def get(self, path: str, name: str) -> Stored:
        """One secret.

        Raises:
            Refusal: 404 when the folder or the secret is not there.
        """
        stored = self._in(path).get(name)
        if stored is None:
            raise not_found(f"Secret with name '{name}' not found")
        return stored

    def create(self, path: str, name: str, value: str, comment: str, at: float) -> Stored:
        """Put a new secret at version 1.

        Raises:
            Refusal: 404 without the folder, 400 when the name is taken.
        """
        folder = self._in(path)
        if name in folder:
            raise bad_request(f"Secret with name '{name}' already exists")
        identifier = str(uuid.UUID(int=self._rng.getrandbits(128), version=4))
        folder[name] = Stored(identifier, name, path, comment, [Version(1, _trimmed(value), at)])
        return folder[name]

    def change(self, path: str, name: str, value: str | None, new_name: str | None, at: float) -> Stored:
        """Write the next version, and rename when asked to.

        Raises:
            Refusal: 404 when it is not there, 400 when the new name is taken.
        """
        folder = self._in(path)
        stored = self.get(path, name)
        if new_name is not None and new_name != name:
            if new_name in folder:
                raise bad_request(f"Secret with name '{new_name}' already exists")
            folder[new_name] = folder.pop(name)
            stored.name = new_name
        kept = stored.latest.value if value is None else _trimmed(value)
        stored.versions.append(Version(stored.latest.number + 1, kept, at))
        return stored

    def remove(self, path: str, name: str) -> Stored:
        """Take a secret away with all its versions.

        Raises:
            Refusal: 404 when it is not there.
        """
        stored = self.get(path, name)
        del self._in(path)[name]
        return stored

    def as_json(self) -> dict[str, dict[str, int]]:
        """By folder, each secret's latest version number; never a value."""
        return {
            path: {name: stored.latest.number for name, stored in sorted(folder.items())}
            for path, folder in self._folders.items()
        }

    def _in(self, path: str) -> dict[str, Stored]:
        folder = self._folders.get(path)
        if folder is None:
            raise not_found(f"Folder with path '{path}' not found")
        return folder


def _trimmed(value: str) -> str:
    return value.strip() + ("\n" if value.endswith("\n") else "")
