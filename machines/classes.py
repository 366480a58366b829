"""Machine classes: the sizes a pool may boot, one TOML file each, next to this module.

A class is data that an operator may read, change and add to; this module only refuses what Fly would refuse,
or worse, silently ignore (an unknown size was seen to have no effect). A pool named gha-medium uses
``gha-medium.toml``.
"""

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

FOLDER = Path(__file__).parent
"""Where the classes that come with the product are."""

_MEMORY_STEP_MB = 256
_MB_PER_CPU: Mapping[str, tuple[int, int]] = {"shared": (256, 2048), "performance": (2048, 8192)}
_STOP_MAX_S = 300
_VOLUME_MAX_GB = 500

MEMORY_LEFT_MIN_MB = 2048
"""What a tmpfs must leave of the guest's memory: the listener, Docker and the job's own processes."""

_FINGERPRINT_LENGTH = 12


@dataclass(frozen=True, slots=True)
class Disk:
    """Where a job writes: its workspace and Docker's data, which the root disk (8 MiB/s) would slow down.

    Attributes:
        kind: ``tmpfs`` takes the guest's memory, ``volume`` is a volume of the Machine's own, ``root`` is the
            root file system.
        size_mb: of a tmpfs, in MiB; 0 for another kind.
        size_gb: of a volume; 0 for another kind.
    """

    kind: Literal["tmpfs", "volume", "root"]
    size_mb: int = 0
    size_gb: int = 0


@dataclass(frozen=True, slots=True)
class MachineClass:
    """One size of Machine.

    Attributes:
        name: the file's name without ``.toml``.
        description: for people, one line.
        memory_mb: in MiB.
        rootfs_gb: size of the root file system in GB, the image included.
        disk: where the job's workspace and Docker's data are.
        stop_timeout_s: seconds between the stop signal and the kill.
    """

    name: str
    description: str
    cpu_kind: Literal["shared", "performance"]
    cpus: int
    memory_mb: int
    rootfs_gb: int
    disk: Disk
    stop_timeout_s: int

    @property
    def fingerprint(self) -> str:
        """Names what this class makes of a Machine: it changes with any size, not with the description."""
        made = {**asdict(self), "name": "", "description": ""}
        written = json.dumps(made, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(written.encode()).hexdigest()[:_FINGERPRINT_LENGTH]


class ClassFileError(Exception):
    """A class file cannot be used.

    Attributes:
        path: the file.
        mistakes: one sentence each, with key, what was found and what was expected.
    """

    def __init__(self, path: Path, mistakes: tuple[str, ...]) -> None:
        super().__init__(f"{path}: " + "; ".join(mistakes))
        self.path = path
        self.mistakes = mistakes


def load_fleet_classes(own: str | None) -> Mapping[str, MachineClass]:
    """Return the classes that come with the product, those of an operator's folder added or in their place.

    Raises:
        ClassFileError: as load_classes.
    """
    added = {} if own is None else load_classes(Path(own))
    return dict(sorted({**load_classes(), **added}.items()))


def load_classes(folder: Path = FOLDER) -> Mapping[str, MachineClass]:
    """Return every class of a folder by name, in alphabetical order.

    Raises:
        ClassFileError: one of the files is wrong, or the folder holds none.
    """
    files = sorted(folder.glob("*.toml"))
    if not files:
        raise ClassFileError(folder, ("no machine class here; expected NAME.toml files",))
    return {file.stem: load_class(file) for file in files}


def load_class(file: Path) -> MachineClass:
    """Return the class that one file describes.

    Raises:
        ClassFileError: it cannot be read, or says something that Fly would refuse.
    """
    try:
        written = _ClassFile.model_validate(tomllib.loads(file.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        raise ClassFileError(file, (f"cannot be read: {type(error).__name__}",)) from error
    except tomllib.TOMLDecodeError as error:
        raise ClassFileError(file, (f"is not TOML: {error}",)) from error
    except ValidationError as error:
        raise ClassFileError(file, _mistakes(error)) from error
    return MachineClass(
        name=file.stem,
        description=written.description,
        cpu_kind=written.guest.cpu_kind,
        cpus=written.guest.cpus,
        memory_mb=written.guest.memory_mb,
        rootfs_gb=written.rootfs.size_gb,
        disk=Disk(**written.disk.model_dump()),
        stop_timeout_s=written.stop.timeout_s,
    )


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Guest(_Table):
    cpu_kind: Literal["shared", "performance"]
    cpus: Literal[1, 2, 4, 6, 8, 10, 12, 14, 16]
    memory_mb: int = Field(multiple_of=_MEMORY_STEP_MB)

    @model_validator(mode="after")
    def _memory_fits_the_cpus(self) -> Self:
        least, most = (self.cpus * per_cpu for per_cpu in _MB_PER_CPU[self.cpu_kind])
        if not least <= self.memory_mb <= most:
            raise ValueError(
                f"memory_mb = {self.memory_mb} does not fit {self.cpus} {self.cpu_kind} CPUs: "
                f"expected {least} to {most}"
            )
        return self


class _Rootfs(_Table):
    size_gb: int = Field(ge=8, le=500)


class _Tmpfs(_Table):
    kind: Literal["tmpfs"]
    size_mb: int = Field(ge=1024)


class _Volume(_Table):
    kind: Literal["volume"]
    size_gb: int = Field(ge=1, le=_VOLUME_MAX_GB)


class _RootDisk(_Table):
    kind: Literal["root"]


class _Stop(_Table):
    timeout_s: int = Field(ge=1, le=_STOP_MAX_S)


class _ClassFile(_Table):
    description: str = Field(min_length=1, max_length=100)
    guest: _Guest
    rootfs: _Rootfs
    disk: Annotated[_Tmpfs | _Volume | _RootDisk, Field(discriminator="kind")]
    stop: _Stop

    @model_validator(mode="after")
    def _tmpfs_leaves_room(self) -> Self:
        if isinstance(self.disk, _Tmpfs):
            left = self.guest.memory_mb - self.disk.size_mb
            if left < MEMORY_LEFT_MIN_MB:
                raise ValueError(
                    f"disk.size_mb = {self.disk.size_mb} of guest.memory_mb = {self.guest.memory_mb} leaves "
                    f"{left} for the job: expected {MEMORY_LEFT_MIN_MB} at least, so a smaller tmpfs, more "
                    'memory, or kind = "root"'
                )
        return self


def _mistakes(error: ValidationError) -> tuple[str, ...]:
    found = []
    for each in error.errors(include_url=False):
        # In a table whose kind decides its keys, pydantic names the kind as well: the file has no such level.
        parts = [part for at, part in enumerate(each["loc"]) if (at, each["loc"][0]) != (1, "disk")]
        key = ".".join(str(part) for part in parts) or "the file"
        value = each.get("input")
        shown = "" if isinstance(value, dict) else f", found {value!r}"
        found.append(f"{key}: {each['msg']}{shown}")
    return tuple(found)
